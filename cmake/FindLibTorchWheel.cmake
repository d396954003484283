# LibTorch out of the PyPI wheel `torch`, without the wheel's own CMake package (which demands nvcc).
#   in:  SOFTCOT_PYTHON  the interpreter whose site-packages hold the wheel
#   out: LibTorch::LibTorch (with SOFTCOT_CUDA also torch_cuda and c10_cuda), LibTorchWheel_CUDA_INCLUDE_DIR
if(NOT SOFTCOT_PYTHON)
  find_program(SOFTCOT_PYTHON python3 HINTS "${PROJECT_SOURCE_DIR}/build/venv/bin" NO_DEFAULT_PATH)
endif()
set(SOFTCOT_PYTHON "${SOFTCOT_PYTHON}" CACHE FILEPATH "Python whose torch wheel is linked")
if(SOFTCOT_PYTHON)
  execute_process(
    COMMAND "${SOFTCOT_PYTHON}" -c
      "import importlib.util as u; print(u.find_spec('torch').submodule_search_locations[0])"
    OUTPUT_VARIABLE LibTorchWheel_DIR OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
if(LibTorchWheel_DIR AND EXISTS "${LibTorchWheel_DIR}/version.py")
  file(STRINGS "${LibTorchWheel_DIR}/version.py" _version REGEX "^__version__")
  string(REGEX MATCH "[0-9]+\\.[0-9]+\\.[0-9]+" LibTorchWheel_VERSION "${_version}")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibTorchWheel
  REQUIRED_VARS LibTorchWheel_DIR VERSION_VAR LibTorchWheel_VERSION
  REASON_FAILURE_MESSAGE "run launch/setup.sh, or pass -DSOFTCOT_PYTHON=PYTHON_WITH_TORCH")

if(LibTorchWheel_FOUND AND NOT TARGET LibTorch::LibTorch)
  set(_lib "${LibTorchWheel_DIR}/lib")
  add_library(LibTorch::LibTorch INTERFACE IMPORTED)
  # The wheel brings headers of its own fmt, newer than the system's that spdlog is built with, and
  # exports no function of it: its folders are linked one by one, without that one.
  set(_headers "${PROJECT_BINARY_DIR}/include/torch_wheel")
  file(MAKE_DIRECTORY "${_headers}")
  foreach(_folder ATen c10 caffe2 torch)
    file(CREATE_LINK "${LibTorchWheel_DIR}/include/${_folder}" "${_headers}/${_folder}" SYMBOLIC)
  endforeach()
  target_include_directories(LibTorch::LibTorch SYSTEM INTERFACE
    "${_headers}" "${LibTorchWheel_DIR}/include/torch/csrc/api/include")
  target_compile_definitions(LibTorch::LibTorch INTERFACE _GLIBCXX_USE_CXX11_ABI=1)
  target_compile_options(LibTorch::LibTorch INTERFACE -fopenmp)
  target_link_libraries(LibTorch::LibTorch INTERFACE "${_lib}/libtorch_cpu.so" "${_lib}/libc10.so"
    "${_lib}/libgomp.so.1")
  target_link_options(LibTorch::LibTorch INTERFACE "-Wl,-rpath,${_lib}" "-Wl,--allow-shlib-undefined")
  if(SOFTCOT_CUDA)
    # CUDA's runtime is a package of its own beside the wheel. Its headers are for one file of ours alone:
    # all others are compiled as without CUDA, and come out of ccache.
    get_filename_component(_site "${LibTorchWheel_DIR}" DIRECTORY)
    set(_runtime "${_site}/nvidia/cu13")
    set(LibTorchWheel_CUDA_INCLUDE_DIR "${_runtime}/include")
    target_link_libraries(LibTorch::LibTorch INTERFACE "${_runtime}/lib/libcudart.so.13")
    target_link_options(LibTorch::LibTorch INTERFACE "-Wl,-rpath,${_runtime}/lib")
    # Nothing of ours names a symbol of these two: --no-as-needed keeps their registrations linked.
    target_link_libraries(LibTorch::LibTorch INTERFACE
      "-Wl,--no-as-needed" "${_lib}/libtorch_cuda.so" "${_lib}/libc10_cuda.so" "-Wl,--as-needed")
  endif()
endif()
