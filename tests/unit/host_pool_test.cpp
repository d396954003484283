// The pool of host memory: what is kept, how much of it, and that no two tensors share a byte.
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "runtime/host_pool.h"
#include "support/tensors.h"

namespace softcot::test {
namespace {

/// Of this process, in bytes.
std::int64_t mapped_bytes() {
  std::ifstream file("/proc/self/statm");
  std::int64_t pages = 0;
  file >> pages;
  return pages * 4096;
}

class HostPool : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { use_host_pool(); }
  void SetUp() override {
#if defined(__SANITIZE_ADDRESS__)
    GTEST_SKIP() << "the pool is off under AddressSanitizer";
#endif
    empty_host_pool();
  }
};

constexpr std::int64_t kMegabyte = 1 << 20;

TEST_F(HostPool, GivesFreedMemoryToTheNextTensorOfAboutItsSize) {
  void* first = at::empty({4 * kMegabyte}, at::kByte).mutable_data_ptr();
  const auto same = at::empty({4 * kMegabyte}, at::kByte);
  EXPECT_EQ(same.const_data_ptr(), first);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(same.const_data_ptr()) % 64, 0U);
}

TEST_F(HostPool, TensorsOfEverySizeKeepTheirOwnBytes) {
  std::vector<at::Tensor> kept;
  for (int round = 0; round < 200; ++round) {
    const std::int64_t bytes = 1 + (std::int64_t{7919} * round) % (3 * kMegabyte);
    kept.push_back(at::full({bytes}, round % 251, at::kByte));
    if (round % 3 == 2) kept.erase(kept.begin() + round % static_cast<int>(kept.size()));
    for (const auto& tensor : kept) {
      EXPECT_EQ(tensor[0].item<int>(), tensor[tensor.size(0) - 1].item<int>());
    }
  }
  for (const auto& tensor : kept) {
    EXPECT_TRUE((tensor == tensor[0]).all().item<bool>());
  }
}

TEST_F(HostPool, NeverHoldsMoreThanWasUsedAtOnce) {
  const std::int64_t before = mapped_bytes();
  for (int step = 0; step < 50; ++step) {
    std::vector<at::Tensor> tensors;
    for (int i = 0; i < 10; ++i) {
      tensors.push_back(at::empty({(2 + (step + i) % 5) * kMegabyte}, at::kByte));
    }
  }
  EXPECT_LE(mapped_bytes() - before, 45 * kMegabyte);  // 40 are in use in each step
  empty_host_pool();
  EXPECT_LE(mapped_bytes() - before, 5 * kMegabyte);
}

TEST_F(HostPool, RefusesWhatTheSystemHasNot) {
  EXPECT_ANY_THROW(at::empty({std::int64_t{1} << 50}, at::kByte));
  EXPECT_NO_THROW(at::empty({kMegabyte}, at::kByte));
}

}  // namespace
}  // namespace softcot::test
