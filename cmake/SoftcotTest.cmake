# softcot_add_test(NAME n SOURCES … LIBRARIES … LABELS … [RANKS 1 2 …] [UNDER program …] [TIMEOUT s] [TORCH])
# One GoogleTest executable; with RANKS it is run under mpirun once for each number of ranks
# (test names n.2, n.3 …), with UNDER by that program, which may skip it with status 77, else once,
# alone. Labels: unit parity distributed recovery slurm slow gpu bench build.
find_package(GTest REQUIRED)

# Tests without torch are not optimised: what they call is.
softcot_add_precompiled(softcot_test_pch
  HEADERS <gmock/gmock.h> <gtest/gtest.h> ${SOFTCOT_PLAIN_HEADERS}
  LIBRARIES nlohmann_json::nlohmann_json GTest::gtest GTest::gmock OPTIONS -O0)
softcot_add_precompiled(softcot_torch_test_pch
  HEADERS <ATen/ATen.h> <gmock/gmock.h> <gtest/gtest.h> ${SOFTCOT_PLAIN_HEADERS}
  LIBRARIES nlohmann_json::nlohmann_json GTest::gtest GTest::gmock LibTorch::LibTorch)

function(softcot_add_test)
  cmake_parse_arguments(ARG "TORCH" "NAME;TIMEOUT" "SOURCES;LIBRARIES;LABELS;RANKS;UNDER" ${ARGN})
  add_executable(${ARG_NAME} ${ARG_SOURCES})
  target_link_libraries(${ARG_NAME} PRIVATE softcot_compile_options ${ARG_LIBRARIES} softcot_test_support
    GTest::gtest GTest::gmock)
  if(ARG_TORCH)
    target_link_libraries(${ARG_NAME} PRIVATE LibTorch::LibTorch)
    target_precompile_headers(${ARG_NAME} REUSE_FROM softcot_torch_test_pch)
  else()
    target_compile_options(${ARG_NAME} PRIVATE -O0)
    target_precompile_headers(${ARG_NAME} REUSE_FROM softcot_test_pch)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300) # Four ranks take twenty times as long where others want the cores too.
  endif()
  if(ARG_RANKS)
    foreach(ranks IN LISTS ARG_RANKS)
      add_test(NAME ${ARG_NAME}.${ranks}
        COMMAND ${MPIEXEC_EXECUTABLE} --oversubscribe --bind-to none -n ${ranks} $<TARGET_FILE:${ARG_NAME}>)
      softcot_test_properties(${ARG_NAME}.${ranks} "${ARG_LABELS}" ${ARG_TIMEOUT})
      set_tests_properties(${ARG_NAME}.${ranks} PROPERTIES PROCESSORS ${ranks})
    endforeach()
  else()
    add_test(NAME ${ARG_NAME} COMMAND ${ARG_UNDER} $<TARGET_FILE:${ARG_NAME}>)
    softcot_test_properties(${ARG_NAME} "${ARG_LABELS}" ${ARG_TIMEOUT})
    set_tests_properties(${ARG_NAME} PROPERTIES SKIP_RETURN_CODE 77)
  endif()
endfunction()

# softcot_on_gpus(test labels ranks…): the same program once more for each number of ranks, as gpu_TEST.RANKS,
# with its tensors on GPUs.
function(softcot_on_gpus test labels)
  foreach(ranks IN LISTS ARGN)
    add_test(NAME gpu_${test}.${ranks}
      COMMAND ${MPIEXEC_EXECUTABLE} --oversubscribe --bind-to none -n ${ranks} $<TARGET_FILE:${test}>)
    softcot_test_properties(gpu_${test}.${ranks} "gpu;${labels}" 300)
    set_property(TEST gpu_${test}.${ranks} APPEND PROPERTY ENVIRONMENT SOFTCOT_TEST_DEVICE=cuda)
  endforeach()
endfunction()

function(softcot_test_properties name labels timeout)
  # Run in parallel, ctest starts with the costly: here, with those that fail soonest.
  set(cost 1)
  if("gpu" IN_LIST labels) # Without a GPU all of its tests skip themselves, and so it counts as skipped.
    set_tests_properties(${name} PROPERTIES SKIP_REGULAR_EXPRESSION "\\[  SKIPPED \\]")
  endif()
  if("unit" IN_LIST labels)
    set(cost 1000)
  elseif("parity" IN_LIST labels)
    set(cost 100)
  elseif(NOT "slow" IN_LIST labels)
    set(cost 10)
  endif()
  # SOFTCOT_FIXTURES is read when a test runs, so that another fixture folder needs no new configure.
  set(environment "OMPI_ALLOW_RUN_AS_ROOT=1" "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1" "OMP_NUM_THREADS=1"
    "OMPI_MCA_rmaps_base_oversubscribe=1" "OMPI_MCA_mpi_yield_when_idle=1"
    "OMPI_MCA_btl_vader_single_copy_mechanism=none")
  set_tests_properties(${name} PROPERTIES LABELS "${labels}" TIMEOUT ${timeout} COST ${cost}
    ENVIRONMENT "${environment}")
endfunction()
