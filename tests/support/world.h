#pragma once

#include <gtest/gtest.h>

#include <cstdio>

#include "runtime/process_world.h"

namespace softcot::test {

/// The ranks that this test program runs as.
ProcessWorld& world();

/// On ranks other than 0: only failures, with the rank.
class FailurePrinter : public ::testing::EmptyTestEventListener {
 public:
  explicit FailurePrinter(int rank) : rank_(rank) {}
  void OnTestPartResult(const ::testing::TestPartResult& result) override {
    if (!result.failed()) return;
    std::fprintf(stderr, "[rank %d] %s:%d: %s\n", rank_,
                 result.file_name() == nullptr ? "?" : result.file_name(), result.line_number(),
                 result.message());
  }

 private:
  int rank_;
};

}  // namespace softcot::test
