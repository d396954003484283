# softcot_add_folder(NAME [SOURCES …] [TORCH_SOURCES …] [LIBRARIES …] [DEFINITIONS …]): one library per folder.
#
# A folder's headers are seen as "folder/file.h" and only by targets that link it: its include root is
# a directory of the build tree that holds nothing but a link to the folder. Links are private, so
# that an include which the architecture forbids does not compile.
# TORCH_SOURCES see LibTorch; SOURCES do not, and compile in a fraction of the time.
function(softcot_folder_includes name)
  set(root "${PROJECT_BINARY_DIR}/include/${name}")
  file(MAKE_DIRECTORY "${root}")
  file(CREATE_LINK "${PROJECT_SOURCE_DIR}/${name}" "${root}/${name}" SYMBOLIC)
  set(SOFTCOT_INCLUDE_ROOT "${root}" PARENT_SCOPE)
endfunction()

function(softcot_add_folder name)
  cmake_parse_arguments(ARG "" "" "SOURCES;TORCH_SOURCES;LIBRARIES;DEFINITIONS" ${ARGN})
  set(target softcot_${name})
  softcot_folder_includes(${name})
  add_library(${target} STATIC ${ARG_TORCH_SOURCES} $<TARGET_OBJECTS:${target}_plain>)
  add_library(${target}_plain OBJECT ${ARG_SOURCES})
  foreach(part IN ITEMS ${target} ${target}_plain)
    target_include_directories(${part} PUBLIC "${SOFTCOT_INCLUDE_ROOT}")
    target_link_libraries(${part} PRIVATE softcot_compile_options ${ARG_LIBRARIES})
    target_compile_definitions(${part} PRIVATE ${ARG_DEFINITIONS})
  endforeach()
  set_target_properties(${target} PROPERTIES LINKER_LANGUAGE CXX)
  target_precompile_headers(${target}_plain REUSE_FROM softcot_plain_pch)
  if(ARG_TORCH_SOURCES)
    target_link_libraries(${target} PRIVATE LibTorch::LibTorch)
    target_precompile_headers(${target} REUSE_FROM softcot_torch_pch)
  endif()
endfunction()

# softcot_add_precompiled(NAME HEADERS … LIBRARIES … [OPTIONS …]): headers that other targets reuse. At its end,
# each file that reuses them instantiates what their inline functions use of templates: a header that few
# files need costs all of them time, and stays out.
function(softcot_add_precompiled name)
  cmake_parse_arguments(ARG "" "" "HEADERS;LIBRARIES;OPTIONS" ${ARGN})
  file(WRITE "${PROJECT_BINARY_DIR}/${name}.cpp" "")
  add_library(${name} OBJECT "${PROJECT_BINARY_DIR}/${name}.cpp")
  target_compile_options(${name} PRIVATE ${ARG_OPTIONS})
  target_link_libraries(${name} PRIVATE softcot_compile_options ${ARG_LIBRARIES})
  target_precompile_headers(${name} PRIVATE ${ARG_HEADERS})
endfunction()

set(SOFTCOT_PLAIN_HEADERS <filesystem> <fstream> <functional> <map> <memory> <optional> <span> <sstream>
  <string> <string_view> <vector> <nlohmann/json.hpp>)
softcot_add_precompiled(softcot_plain_pch
  HEADERS ${SOFTCOT_PLAIN_HEADERS} <fmt/format.h>
  LIBRARIES nlohmann_json::nlohmann_json fmt::fmt)
softcot_add_precompiled(softcot_torch_pch
  HEADERS <ATen/ATen.h> ${SOFTCOT_PLAIN_HEADERS} <fmt/format.h>
  LIBRARIES nlohmann_json::nlohmann_json fmt::fmt LibTorch::LibTorch)
