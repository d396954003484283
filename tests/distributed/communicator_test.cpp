// One suite over every communicator: values follow from rank and size, so that they hold at any
// size and a group of one is never the only evidence.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <chrono>
#include <numeric>
#include <thread>

#include "runtime/error.h"
#include "runtime/mpi_communicator.h"
#include "runtime/work_queue.h"
#include "support/world.h"

namespace softcot::test {
namespace {

std::vector<int> all_ranks() {
  std::vector<int> ranks(world().size());
  std::iota(ranks.begin(), ranks.end(), 0);
  return ranks;
}

/// Every group that must behave alike: the world's own, and one whose calls are cut into chunks
/// of 3.
std::vector<std::unique_ptr<Communicator>> groups() {
  std::vector<std::unique_ptr<Communicator>> made;
  made.push_back(world().world_group());
  if (world().size() > 1) {
    made.push_back(std::make_unique<MpiCommunicator>(all_ranks(), std::chrono::seconds(60), 3));
  }
  return made;
}

TEST(Communicator, AllReduce) {
  const int n = world().size();
  for (const auto& group : groups()) {
    ASSERT_EQ(group->rank(), world().rank());
    for (const auto dtype : {at::kFloat, at::kDouble, at::kLong, at::kBFloat16}) {
      auto sum = (at::arange(10).to(at::kLong) + 100 * group->rank()).to(dtype);
      const auto own = sum.clone();
      group->all_reduce(sum, ReduceOp::kSum);
      auto expected = at::zeros({10}, at::kDouble);
      for (int r = 0; r < n; ++r) {
        expected += (at::arange(10).to(at::kLong) + 100 * r).to(dtype).to(at::kDouble);
      }
      EXPECT_TRUE(sum.equal(expected.to(dtype))) << toString(dtype);
      auto most = own.clone();
      group->all_reduce(most, ReduceOp::kMax);
      EXPECT_TRUE(most.equal((at::arange(10).to(at::kLong) + 100 * (n - 1)).to(dtype)));
      auto least = own.clone();
      group->all_reduce(least, ReduceOp::kMin);
      EXPECT_TRUE(least.equal(at::arange(10).to(at::kLong).to(dtype)));
    }
  }
}

TEST(Communicator, GatherScatterBroadcast) {
  const int n = world().size();
  for (const auto& group : groups()) {
    const auto mine = at::full({2, 3}, 1.0 + group->rank());
    const auto gathered = group->all_gather(mine);
    ASSERT_EQ(gathered.size(0), 2 * n);
    for (int r = 0; r < n; ++r) {
      EXPECT_TRUE(gathered.narrow(0, 2 * r, 2).equal(at::full({2, 3}, 1.0 + r)));
    }
    const auto scattered = group->reduce_scatter(gathered);
    EXPECT_TRUE(scattered.equal(n * mine));
    for (int root = 0; root < n; ++root) {
      for (const auto dtype : {at::kFloat, at::kBFloat16, at::kByte}) {
        auto tensor = at::full({7}, 5 + group->rank(), dtype);
        group->broadcast(tensor, root);
        EXPECT_TRUE(tensor.equal(at::full({7}, 5 + root, dtype)));
      }
    }
    EXPECT_EQ(broadcast_bytes(*group, group->rank() == n - 1 ? "last" : "", n - 1), "last");
    EXPECT_EQ(reduce_scalar(*group, std::int64_t{2}, ReduceOp::kSum), 2 * n);
    group->barrier();
  }
}

TEST(Communicator, SubgroupsReduceAmongThemselves) {
  for (int tp = 1; tp <= world().size(); ++tp) {
    if (world().size() % tp != 0) continue;
    const auto made = ProcessGroups::make(world(), tp);
    auto tp_sum = at::full({1}, world().rank(), at::kLong);
    made.tp->all_reduce(tp_sum, ReduceOp::kSum);
    auto dp_sum = at::full({1}, world().rank(), at::kLong);
    made.dp->all_reduce(dp_sum, ReduceOp::kSum);
    std::int64_t expected_tp = 0, expected_dp = 0;
    for (const int r : made.mesh.tp_group(world().rank())) expected_tp += r;
    for (const int r : made.mesh.dp_group(world().rank())) expected_dp += r;
    EXPECT_EQ(tp_sum.item<std::int64_t>(), expected_tp);
    EXPECT_EQ(dp_sum.item<std::int64_t>(), expected_dp);
  }
}

TEST(Communicator, NamesTheRankThatDiffers) {
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

TEST(WorkQueue, HandsOutEachNumberOnce) {
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
TEST(Communicator, TimesOutNamingTheCollective) {
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

}  // namespace
}  // namespace softcot::test
