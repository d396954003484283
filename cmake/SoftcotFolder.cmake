# softcot_add_folder(NAME [SOURCES …] [TORCH_SOURCES …] [LIBRARIES …]): one library per folder.
#
# A folder's headers are seen as "folder/file.h" and only by targets that link it: its include root is
# a directory of the build tree that holds nothing but a link to the folder. Links are private, so
# that an include which the architecture forbids does not compile.
# TORCH_SOURCES see LibTorch and its precompiled header, which costs each of them some five seconds whether
# or not it uses them: files that do not stand in SOURCES.
function(softcot_folder_includes name)
  set(root "${PROJECT_BINARY_DIR}/include/${name}")
  file(MAKE_DIRECTORY "${root}")
  file(CREATE_LINK "${PROJECT_SOURCE_DIR}/${name}" "${root}/${name}" SYMBOLIC)
  set(SOFTCOT_INCLUDE_ROOT "${root}" PARENT_SCOPE)
endfunction()

function(softcot_use_torch target)
  target_link_libraries(${target} PRIVATE LibTorch::LibTorch)
  target_precompile_headers(${target} REUSE_FROM softcot_torch_pch)
endfunction()

function(softcot_add_folder name)
  cmake_parse_arguments(ARG "" "" "SOURCES;TORCH_SOURCES;LIBRARIES" ${ARGN})
  set(target softcot_${name})
  add_library(${target} STATIC ${ARG_SOURCES} ${ARG_TORCH_SOURCES})
  softcot_folder_includes(${name})
  target_include_directories(${target} PUBLIC "${SOFTCOT_INCLUDE_ROOT}")
  target_link_libraries(${target} PRIVATE softcot_compile_options ${ARG_LIBRARIES})
  if(ARG_TORCH_SOURCES)
    set_source_files_properties(${ARG_SOURCES} PROPERTIES SKIP_PRECOMPILE_HEADERS ON)
    softcot_use_torch(${target})
  endif()
endfunction()

# The one translation unit whose precompiled torch header every other target reuses.
file(WRITE "${PROJECT_BINARY_DIR}/torch_pch.cpp" "")
add_library(softcot_torch_pch OBJECT "${PROJECT_BINARY_DIR}/torch_pch.cpp")
target_link_libraries(softcot_torch_pch PRIVATE softcot_compile_options LibTorch::LibTorch)
target_precompile_headers(softcot_torch_pch PRIVATE <ATen/ATen.h> <torch/csrc/autograd/custom_function.h>
  <torch/csrc/autograd/autograd.h> <torch/csrc/autograd/variable.h> <nlohmann/json.hpp>
  <filesystem> <map> <memory> <string> <vector>)
