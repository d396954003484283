// How much work a training step does, counted exactly: every position and every row of logits that
// a layer computes passes through the tensor-parallel group (docs/architecture.md says how often).
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <vector>

#include "model/soft_prompt.h"
#include "model/transformer.h"
#include "support/fixtures.h"

namespace softcot::test {
namespace {

/// Rank 0 of a group of two whose other rank adds nothing: it counts what would be exchanged.
class CountingGroup final : public Communicator {
 public:
  int rank() const override { return 0; }
  int size() const override { return 2; }
  void all_reduce(at::Tensor& tensor, ReduceOp op) override {
    if (op == ReduceOp::kSum && tensor.dim() == 2) ++sums[tensor.size(0)];
    if (op == ReduceOp::kMax) logits += tensor.numel();
  }
  at::Tensor all_gather(const at::Tensor& tensor) override { return at::cat({tensor, tensor}); }
  at::Tensor reduce_scatter(const at::Tensor& tensor) override { return tensor.chunk(2)[0]; }
  void broadcast(at::Tensor&, int) override {}
  void barrier() override {}

  std::map<std::int64_t, std::int64_t> sums;  ///< How many, by positions.
  std::int64_t logits = 0;                    ///< Rows of them.
};

SoftRow row_of(std::int64_t tokens, std::int64_t thought_begin, std::int64_t target_begin) {
  SoftRow row{.id = "row",
              .ids = {},
              .thought_begin = thought_begin,
              .thought_count = 3,
              .target_begin = target_begin};
  for (std::int64_t t = 0; t < tokens; ++t) row.ids.push_back(4 + t);
  return row;
}

class WorkCount : public ::testing::Test {
 protected:
  /// One step's forward and backward pass over two rows that share 5 tokens.
  void step(const WorkSwitches& switches) {
    model_.emplace(backbone_, switches);
    model_->share_prefix({4, 5, 6, 7, 8});
    group_.sums.clear();
    auto soft = at::ones({6, backbone_.config().hidden}).mul_(0.01).requires_grad_();
    model_->score({row_of(31, 12, 18), row_of(24, 9, 16)}, soft).nll.sum().backward();
    EXPECT_TRUE(soft.grad().defined());
  }

  /// Sums of the embedding and of both parts of each layer, forward and backward.
  std::int64_t forward_only() const { return 2 * backbone_.layers() + 1; }
  std::int64_t with_backward() const { return 4 * backbone_.layers() + 1; }

  CountingGroup group_;
  const Transformer backbone_{fixture_folder() / "llama", {}, group_};
  std::optional<SoftPromptModel> model_;
};

constexpr std::int64_t kFrozen = (12 - 5) + (9 - 5);
constexpr std::int64_t kSuffix = (31 - 1 - 12) + (24 - 1 - 9);  // Nothing follows the last token.
constexpr std::int64_t kTargets = (31 - 18) + (24 - 16);

TEST_F(WorkCount, StepForwardsThePrefixOnceAndGoesBackwardFromTheThoughtsOn) {
  step({});
  const std::map<std::int64_t, std::int64_t> expected = {
      {kFrozen, forward_only()}, {kSuffix, with_backward()}, {kTargets, 1}};
  EXPECT_EQ(group_.sums, expected);
  EXPECT_EQ(group_.logits, kTargets);
}

TEST_F(WorkCount, SwitchesBringTheWorkBack) {
  step({.pack = false, .target_logits = false, .frozen_prefix = false, .shared_prefix = false});
  constexpr std::int64_t kPadded = std::int64_t{2} * (31 - 1);
  const std::map<std::int64_t, std::int64_t> expected = {{kPadded, with_backward() + 1}};
  EXPECT_EQ(group_.sums, expected);
  EXPECT_EQ(group_.logits, kPadded);
}

}  // namespace
}  // namespace softcot::test
