// How a rank ends the others: MPI_Abort is this program's own, and does not.
#include <gtest/gtest.h>
#include <mpi.h>

#include <chrono>
#include <cstdlib>
#include <string>

#include "support/world.h"

namespace {
struct Ended {};
}  // namespace

extern "C" int MPI_Abort(MPI_Comm, int) { throw Ended(); }

namespace softcot::test {
namespace {

// It drops what it has not received when ranks are killed, and by then the reason is on its way.
TEST(Abort, UnderSrunItGivesWhatWasWrittenTimeToArrive) {
  const char* set = std::getenv("OMPI_COMM_WORLD_SIZE");
  ASSERT_NE(set, nullptr);
  const std::string size = set;
  unsetenv("OMPI_COMM_WORLD_SIZE");  // srun does not set it.
  const auto start = std::chrono::steady_clock::now();
  EXPECT_THROW(world().abort(3), Ended);
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::seconds(1));
  setenv("OMPI_COMM_WORLD_SIZE", size.c_str(), 1);
}

}  // namespace
}  // namespace softcot::test
