#include <ATen/core/grad_mode.h>

// A real model against Transformers in float32: what it finds likely after real prompts, and what
// it writes. The reference file tells how it was made.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string>
#include <vector>

#include "evaluation/generation.h"
#include "model/linear.h"
#include "model/soft_prompt.h"
#include "runtime/json_file.h"
#include "support/fixtures.h"
#include "support/tensors.h"
#include "support/world.h"

namespace softcot::test {
namespace {

using Ids = std::vector<std::int64_t>;

struct Case {
  Ids prompt, greedy, answer;
  std::map<std::int64_t, double> top;  ///< Log-probability of the likeliest next tokens.
  double answer_logprob = 0;
};

std::vector<Case> reference_cases() {
  const auto file = read_json_file(fixture_folder() / "smollm2.json");
  std::vector<Case> cases;
  for (const auto& each : file.at("cases")) {
    Case one{each.at("ids").get<Ids>(),
             each.at("greedy").get<Ids>(),
             each.at("answer_ids").get<Ids>(),
             {},
             each.at("answer_logprob").get<double>()};
    for (const auto& pair : each.at("top")) one.top[pair[0].get<std::int64_t>()] = pair[1];
    cases.push_back(one);
  }
  return cases;
}

SoftRow row_of(Ids ids, const Ids& targets) {
  SoftRow row;
  row.target_begin = static_cast<std::int64_t>(ids.size());
  row.ids = std::move(ids);
  row.ids.insert(row.ids.end(), targets.begin(), targets.end());
  return row;
}

/// log softmax(logits)[targets], summed, in the arithmetic of the reference: float32, the
/// vocabulary added up in 16 running sums (LibTorch's log_softmax where vectors have 16 lanes).
/// They lose a part of the long tail, some 8e-6 of each log-probability: a whole answer comes out
/// up to 2e-3 likelier than in float64, which tells nothing of the logits.
double summed_as_reference(const at::Tensor& logits, const Ids& targets) {
  constexpr std::int64_t kLanes = 16;
  double sum = 0;
  for (std::int64_t row = 0; row < logits.size(0); ++row) {
    const auto values = logits[row].contiguous();
    const float largest = values.max().item<float>();
    const auto masses = (values - largest).exp_();
    const auto* mass = masses.const_data_ptr<float>();
    std::array<float, kLanes> lanes{};
    for (std::int64_t i = 0; i < masses.numel(); ++i) {
      lanes[static_cast<std::size_t>(i % kLanes)] += mass[i];
    }
    const float total = std::accumulate(lanes.begin(), lanes.end(), 0.0F);
    const auto target = targets[static_cast<std::size_t>(row)];
    sum += static_cast<double>(values[target].item<float>() - largest - std::log(total));
  }
  return sum;
}

/// The model on all ranks of this run.
class Smollm2Parity : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto folder = model_folder("SmolLM2-135M-Instruct");
    if (!folder) {
      GTEST_SKIP() << "no SmolLM2-135M-Instruct: run launch/setup.sh, or name its parent folder in "
                      "SOFTCOT_MODELS";
    }
    folder_ = *folder;
    groups_ = ProcessGroups::make(world(), world().size());
    cases_ = reference_cases();
    ASSERT_GE(cases_.size(), 5U);
  }

  void TearDown() override { set_bf16_matmul(Bf16Matmul::kAuto); }

  std::unique_ptr<Transformer> load(at::ScalarType dtype) const {
    return std::make_unique<Transformer>(folder_, LoadOptions{.dtype = dtype}, *groups_->tp);
  }

  /// Log-probabilities [V] of the token after a prompt.
  static at::Tensor after_prompt(const Transformer& model, const Case& one) {
    const at::NoGradGuard no_grad;
    std::vector<PackedRow> cached;
    const SoftPromptModel soft(model, {});
    return model.logits(soft.prefill({row_of(one.prompt, {})}, {}, cached))[0].log_softmax(0);
  }

  /// Largest difference of the likeliest next tokens' log-probabilities, over all cases.
  double top_difference(const Transformer& model) const {
    double largest = 0;
    for (const auto& one : cases_) {
      const auto logprobs = after_prompt(model, one);
      for (const auto& [id, expected] : one.top) {
        largest = std::max(largest, std::abs(logprobs[id].item<double>() - expected));
      }
    }
    return largest;
  }

  /// Logits [K, V] that predict a case's K answer tokens.
  static at::Tensor answer_logits(const Transformer& model, const Case& one) {
    const at::NoGradGuard no_grad;
    const SoftRow row = row_of(one.prompt, one.answer);
    const auto length = static_cast<std::int64_t>(row.ids.size()) - 1;
    const auto inputs = at::tensor(row.ids, at::kLong).narrow(0, 0, length);
    const PackedRow packed{.tokens = length, .past = {}, .own = {}};
    const auto hidden = model.forward(model.embed(inputs), {packed});
    return model.logits(hidden.narrow(0, row.target_begin - 1, row.targets()));
  }

  /// Of the answer, as `softcot score` and the evaluation have it.
  static double answer_logprob(const Transformer& model, const Case& one) {
    const at::NoGradGuard no_grad;
    const auto nll = SoftPromptModel(model, {}).score({row_of(one.prompt, one.answer)}, {}).nll;
    return -nll.to(at::kDouble).sum().item<double>();
  }

  void expect_reference_answers(const Transformer& model) const {
    for (std::size_t i = 0; i < cases_.size(); ++i) {
      SCOPED_TRACE("case " + std::to_string(i));
      const auto& one = cases_[i];
      const auto logits = answer_logits(model, one);
      EXPECT_NEAR(summed_as_reference(logits, one.answer), one.answer_logprob, 1e-3);
      // Ours is the better sum: that of the same logits in float64.
      const auto exact = logits.to(at::kDouble).log_softmax(1);
      const auto targets = at::tensor(one.answer, at::kLong).unsqueeze(1);
      EXPECT_NEAR(answer_logprob(model, one), exact.gather(1, targets).sum().item<double>(), 1e-3);
    }
  }

  std::filesystem::path folder_;
  std::optional<ProcessGroups> groups_;
  std::vector<Case> cases_;
};

TEST_F(Smollm2Parity, LogProbabilitiesInFloat32) {
  const auto model = load(at::kFloat);
  const double top = top_difference(*model);
  RecordProperty("top_difference", std::to_string(top));
  EXPECT_LE(top, 1e-3);
  expect_reference_answers(*model);
}

TEST_F(Smollm2Parity, GreedyIdsInFloat32) {
  const auto model = load(at::kFloat);
  std::vector<GenerationRequest> requests;
  for (const auto& one : cases_) {
    GenerationRequest request;
    request.prompt = share_prompt(row_of(one.prompt, {}));
    requests.push_back(request);
  }
  GenerationOptions options;
  options.max_new_tokens = static_cast<std::int64_t>(cases_[0].greedy.size());
  options.rows_in_flight = 4;
  std::map<std::size_t, Ids> streamed;
  std::size_t finished = 0;
  generate(
      SoftPromptModel(*model, {}), requests, options,
      [&](std::size_t i, const Generation& result) {
        ++finished;
        EXPECT_EQ(result.ids, cases_[i].greedy) << "case " << i;
        EXPECT_EQ(result.ids, streamed[i]);
      },
      [&](std::size_t i, std::int64_t id) { streamed[i].push_back(id); });
  EXPECT_EQ(finished, cases_.size());
}

// The reference's weights are bfloat16 to begin with, and widening them loses nothing: only the
// order of sums differs from float32.
TEST_F(Smollm2Parity, Bfloat16WeightsWidenedAreFloat32) {
  const auto model = load(at::kBFloat16);
  set_bf16_matmul(Bf16Matmul::kWiden);
  EXPECT_LE(top_difference(*model), 1e-3);
  expect_reference_answers(*model);
}

// Products of bfloat16 round their inputs and outputs to 8 bits, a relative error of up to 2^-9
// that is independent from product to product. The residual stream takes in 60 blocks, each behind
// a few roundings, so that its last state is off by about 2^-9·sqrt(60), 1.5 in a hundred. The
// likeliest tokens, whose logits differ by 3 at most, then move by some 0.05 against each other;
// allowed is three times that for one of them, and for the mean over an answer of 47 tokens, where
// signs cancel, 0.15/sqrt(47) = 0.02.
TEST_F(Smollm2Parity, NativeBfloat16WithinItsRounding) {
  cases_ = {cases_[1], cases_[3]};  // The shortest: slow where the processor only pretends.
  const auto model = load(at::kBFloat16);
  set_bf16_matmul(Bf16Matmul::kNative);
  const double top = top_difference(*model);
  RecordProperty("top_difference", std::to_string(top));
  EXPECT_LE(top, 0.15);
  EXPECT_GT(top, 1e-3) << "no rounding at all: the path under test was not taken";
  for (const auto& one : cases_) {
    const auto tokens = static_cast<double>(one.answer.size());
    const double mean = (answer_logprob(*model, one) - one.answer_logprob) / tokens;
    RecordProperty("mean_difference_" + std::to_string(one.prompt.size()), std::to_string(mean));
    EXPECT_LE(std::abs(mean), 0.02);
  }
}

}  // namespace
}  // namespace softcot::test
