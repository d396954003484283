#include <gtest/gtest.h>
#include <mpi.h>

#include <cstdlib>

// Under mpirun every rank runs every test; a failure on any rank fails the whole run, since mpirun
// returns the first exit status that is not zero.
int main(int argc, char** argv) {
  const bool ranks = std::getenv("OMPI_COMM_WORLD_SIZE") != nullptr;
  if (ranks) MPI_Init(&argc, &argv);
  ::testing::InitGoogleTest(&argc, argv);
  const int failed = RUN_ALL_TESTS();
  if (ranks) {
    if (failed != 0) MPI_Abort(MPI_COMM_WORLD, failed);
    MPI_Finalize();
  }
  return failed;
}
