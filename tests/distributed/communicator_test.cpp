// One suite over every communicator: values follow from rank and size, so that they hold at any
// size and a group of one is never the only evidence. NCCL is the stand-in on host memory; with
// SOFTCOT_TEST_DEVICE=cuda it is the real one, on a GPU for each rank, and nothing else is tested.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <numeric>
#include <thread>

#include "runtime/current_device.h"
#include "runtime/error.h"
#include "runtime/mpi_communicator.h"
#include "runtime/nccl_communicator.h"
#include "runtime/work_queue.h"
#include "support/device.h"
#include "support/world.h"

namespace softcot::test {
namespace {

std::vector<int> all_ranks() {
  std::vector<int> ranks(world().size());
  std::iota(ranks.begin(), ranks.end(), 0);
  return ranks;
}

bool on_gpus() { return test_device().is_cuda(); }

std::shared_ptr<NcclWatchdog> watchdog() {
  if (!on_gpus()) setenv("SOFTCOT_NCCL_LIBRARY", SOFTCOT_NCCL_STAND_IN, 1);
  static const auto made = std::make_shared<NcclWatchdog>(
      NcclLibrary::get(),
      NcclWatchdog::Options{.rank = world().rank(),
                            .timeout = std::chrono::seconds(60),
                            .enter_thread = [] { set_current_device(test_device()); }});
  return made;
}

/// Every group that must behave alike: the world's own, one whose calls are cut into chunks of 3,
/// and NCCL's. MPI's serve host tensors alone.
std::vector<std::unique_ptr<Communicator>> groups() {
  std::vector<std::unique_ptr<Communicator>> made;
  const auto seconds = std::chrono::seconds(60);
  if (!on_gpus()) made.push_back(world().world_group());
  if (!on_gpus() && world().size() > 1) {
    made.push_back(std::make_unique<MpiCommunicator>(all_ranks(), seconds, 3));
  }
  made.push_back(std::make_unique<NcclCommunicator>("world", world().world_group(), all_ranks(),
                                                    test_device(), watchdog()));
  return made;
}

class CommunicatorTest : public ::testing::TestWithParam<const char*> {};

TEST_P(CommunicatorTest, AllReduce) {
  const int n = world().size();
  for (const auto& group : groups()) {
    ASSERT_EQ(group->rank(), world().rank());
    for (const auto dtype : {at::kFloat, at::kDouble, at::kLong, at::kBFloat16}) {
      auto sum = (at::arange(10).to(at::kLong) + 100 * group->rank()).to(test_device(), dtype);
      const auto own = sum.clone();
      group->all_reduce(sum, ReduceOp::kSum);
      auto expected = at::zeros({10}, at::kDouble);
      for (int r = 0; r < n; ++r) {
        expected += (at::arange(10).to(at::kLong) + 100 * r).to(dtype).to(at::kDouble);
      }
      EXPECT_TRUE(sum.cpu().equal(expected.to(dtype))) << toString(dtype);
      auto most = own.clone();
      group->all_reduce(most, ReduceOp::kMax);
      EXPECT_TRUE(most.cpu().equal((at::arange(10).to(at::kLong) + 100 * (n - 1)).to(dtype)));
      auto least = own.clone();
      group->all_reduce(least, ReduceOp::kMin);
      EXPECT_TRUE(least.cpu().equal(at::arange(10).to(at::kLong).to(dtype)));
    }
  }
}

TEST_P(CommunicatorTest, GatherScatterBroadcast) {
  const int n = world().size();
  for (const auto& group : groups()) {
    const auto mine = at::full({2, 3}, 1.0 + group->rank(), test_device());
    const auto gathered = group->all_gather(mine);
    ASSERT_EQ(gathered.size(0), std::int64_t{2} * n);
    for (int r = 0; r < n; ++r) {
      EXPECT_TRUE(
          gathered.narrow(0, std::int64_t{2} * r, 2).cpu().equal(at::full({2, 3}, 1.0 + r)));
    }
    const auto scattered = group->reduce_scatter(gathered);
    EXPECT_TRUE(scattered.equal(n * mine));
    for (int root = 0; root < n; ++root) {
      for (const auto dtype : {at::kFloat, at::kBFloat16, at::kByte}) {
        auto tensor = at::full({7}, 5 + group->rank(), at::device(test_device()).dtype(dtype));
        group->broadcast(tensor, root);
        EXPECT_TRUE(tensor.cpu().equal(at::full({7}, 5 + root, dtype)));
      }
    }
    EXPECT_EQ(broadcast_bytes(*group, group->rank() == n - 1 ? "last" : "", n - 1), "last");
    EXPECT_EQ(reduce_scalar(*group, std::int64_t{2}, ReduceOp::kSum), 2 * n);
    group->barrier();
  }
}

void expect_subgroups_reduce_among_themselves() {
  for (int tp = 1; tp <= world().size(); ++tp) {
    if (world().size() % tp != 0) continue;
    const auto made = ProcessGroups::make(world(), tp);
    auto tp_sum = at::full({1}, world().rank(), at::device(test_device()).dtype(at::kLong));
    made.tp->all_reduce(tp_sum, ReduceOp::kSum);
    auto dp_sum = at::full({1}, world().rank(), at::device(test_device()).dtype(at::kLong));
    made.dp->all_reduce(dp_sum, ReduceOp::kSum);
    std::int64_t expected_tp = 0, expected_dp = 0;
    for (const int r : made.mesh.tp_group(world().rank())) expected_tp += r;
    for (const int r : made.mesh.dp_group(world().rank())) expected_dp += r;
    EXPECT_EQ(tp_sum.item<std::int64_t>(), expected_tp);
    EXPECT_EQ(dp_sum.item<std::int64_t>(), expected_dp);
    made.world->barrier();
  }
}

TEST_P(CommunicatorTest, SubgroupsReduceAmongThemselves) {
  if (!on_gpus()) expect_subgroups_reduce_among_themselves();
  watchdog();  // Names the library.
  world().set_device(test_device());
  world().use_nccl("");
  expect_subgroups_reduce_among_themselves();
}

TEST_P(CommunicatorTest, NcclMovesWhatItIsGivenInOneGoAndInOrder) {
  if (world().size() == 1) return;
  NcclCommunicator group("world", world().world_group(), all_ranks(), test_device(), watchdog());
  auto sum = at::ones({1000}, test_device());
  for (int i = 0; i < 50; ++i) {
    group.all_reduce(sum, ReduceOp::kSum);
    sum = sum / world().size() + 1;
  }
  EXPECT_TRUE(sum.cpu().equal(at::full({1000}, 51.0)));
  auto nothing = at::empty({0}, test_device());
  group.all_reduce(nothing, ReduceOp::kSum);
  auto whole = at::arange(4.0 * world().size(), at::device(test_device()).dtype(at::kBFloat16));
  EXPECT_EQ(group.reduce_scatter(whole).cpu()[0].item<double>(),
            4.0 * world().rank() * world().size());
}

TEST_P(CommunicatorTest, NamesTheRankThatDiffers) {
  if (world().size() == 1) return;  // nobody to differ from: the runs of several ranks show it
  const auto group = world().world_group();
  require_same(*group, "same", "the options");
  const std::string mine = world().rank() == world().size() - 1 ? "other" : "first";
  try {
    require_same(*group, mine, "the options");
    FAIL() << "ranks that differ were accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    EXPECT_NE(std::string(error.what()).find("rank " + std::to_string(world().size() - 1)),
              std::string::npos);
  }
}

TEST_P(CommunicatorTest, WorkQueueHandsOutEachNumberOnce) {
  constexpr std::int64_t kPieces = 200;
  auto taken = at::zeros({kPieces}, at::kLong);
  {
    WorkQueue queue(world());
    for (auto i = queue.next(); i < kPieces; i = queue.next()) taken[i] += 1;
    world().world_group()->barrier();
  }
  world().world_group()->all_reduce(taken, ReduceOp::kSum);
  EXPECT_TRUE(taken.equal(at::ones({kPieces}, at::kLong)));
}

// The last test: afterwards the group cannot be used.
TEST_P(CommunicatorTest, TimesOutNamingTheCollective) {
  if (world().size() == 1) return;  // a group of one waits for nobody
  MpiCommunicator group(all_ranks(), std::chrono::milliseconds(300));
  auto other = world().world_group();
  auto tensor = at::ones({4});  // outlives the pending call
  if (world().rank() != 0) {
    try {
      group.all_reduce(tensor, ReduceOp::kSum);
      FAIL() << "a collective that rank 0 skipped came to an end";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kPeer);
      EXPECT_NE(std::string(error.what()).find("all_reduce number 1"), std::string::npos);
    }
  }
  other->barrier();
  // What the others left pending is joined, so that the program can end in order.
  if (world().rank() == 0) {
    group.all_reduce(tensor, ReduceOp::kSum);
  }
  other->barrier();
}

// The device is in the names, so that those skipped without a GPU can be told from the others.
INSTANTIATE_TEST_SUITE_P(, CommunicatorTest, ::testing::Values(on_gpus() ? "Gpu" : "Host"),
                         [](const auto& parameter) { return std::string(parameter.param); });

}  // namespace
}  // namespace softcot::test
