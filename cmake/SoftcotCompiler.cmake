# Language level, warnings (on our own targets only), sanitizers, ccache.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_OPTIMIZE_DEPENDENCIES ON) # a static library does not wait for those it uses
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Debug, Release or RelWithDebInfo" FORCE)
endif()
# Asserts stay on in every build type: a wrong number costs more than a branch.
set(CMAKE_CXX_FLAGS_RELEASE "-O2")
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g")

find_program(SOFTCOT_CCACHE ccache)
if(SOFTCOT_CCACHE)
  # Without these, ccache never hits on a file that uses a precompiled header.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime CCACHE_INODECACHE=1
      CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} ${SOFTCOT_CCACHE})
endif()

add_library(softcot_compile_options INTERFACE)
target_compile_options(softcot_compile_options INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Werror -fpch-preprocess -ffp-contract=off)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_GREATER_EQUAL 13)
  # It takes a reference that a function returns for one to the temporary that it was given; GCC 14 has
  # it no longer in -Wall.
  target_compile_options(softcot_compile_options INTERFACE -Wno-dangling-reference)
endif()
if(SOFTCOT_SANITIZE)
  # Lines for the stack traces and light optimisation: LibTorch's headers compile in 60 % of the time.
  target_compile_options(softcot_compile_options INTERFACE
    -fsanitize=${SOFTCOT_SANITIZE} -fno-omit-frame-pointer -O1 -g1)
  target_link_options(softcot_compile_options INTERFACE -fsanitize=${SOFTCOT_SANITIZE})
endif()
