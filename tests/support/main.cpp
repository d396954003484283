#include <gtest/gtest.h>

#include <cstdio>
#include <optional>
#include <string>

#include "runtime/log.h"
#include "support/device.h"
#include "support/world.h"

namespace {
std::optional<softcot::ProcessWorld> started;
}

softcot::ProcessWorld& softcot::test::world() { return *started; }

// Under mpirun every rank runs every test; a failure on any rank ends the whole run, since the
// others may be waiting for it, and mpirun returns a status that is not zero.
int main(int argc, char** argv) {
  started.emplace(softcot::ProcessWorld::start(argc, argv));
  softcot::set_log_rank(started->rank(), started->size());
  ::testing::InitGoogleTest(&argc, argv);
  if (started->rank() != 0) {
    auto& listeners = ::testing::UnitTest::GetInstance()->listeners();
    listeners.Append(new softcot::test::FailurePrinter(started->rank()));
    delete listeners.Release(listeners.default_result_printer());
  }
  const std::string missing = softcot::test::take_test_device();
  if (!missing.empty()) {
    if (started->rank() == 0) std::printf("[  SKIPPED ] all of it: %s\n", missing.c_str());
    started.reset();
    return 0;
  }
  const int failed = RUN_ALL_TESTS();
  if (failed != 0 && started->size() > 1) started->abort(failed);
  started.reset();
  return failed;
}
