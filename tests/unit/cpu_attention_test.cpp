// The host's attention kernels against softmax(q · k) v in float64, in every instruction set that
// the processor has.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <tuple>
#include <vector>

#include "model/attention.h"
#include "model/cpu_attention.h"
#include "model/cpu_instruction_set.h"
#include "model/kv_cache.h"
#include "model/model_config.h"
#include "support/tensors.h"

namespace softcot::test {
namespace {

struct Shape {
  std::int64_t query_heads, kv_heads, width;
};

using cpu::InstructionSet;

constexpr InstructionSet kSets[] = {InstructionSet::kPortable, InstructionSet::kAvx2,
                                    InstructionSet::kAvx512, InstructionSet::kAvx512Bf16};

at::Tensor random(at::IntArrayRef shape, std::uint64_t seed) {
  return at::randn(shape, at::make_generator<at::CPUGeneratorImpl>(seed), at::kFloat);
}

/// One row: past spans of keys and values [tokens, K, D], and new heads [T, Q + 2K, D].
struct Row {
  std::vector<at::Tensor> past_keys, past_values;
  at::Tensor heads;
};

Row make_row(const Shape& shape, std::int64_t tokens, const std::vector<std::int64_t>& past,
             std::uint64_t seed) {
  Row row;
  for (const auto length : past) {
    row.past_keys.push_back(random({length, shape.kv_heads, shape.width}, ++seed));
    row.past_values.push_back(random({length, shape.kv_heads, shape.width}, ++seed));
  }
  row.heads = random({tokens, shape.query_heads + 2 * shape.kv_heads, shape.width}, ++seed);
  return row;
}

/// [T, Q, D] in float64, differentiable in row.heads.
at::Tensor reference(const Row& row, const at::Tensor& heads, const Shape& shape, double scale) {
  const std::int64_t tokens = heads.size(0);
  const auto with_past = [&](const std::vector<at::Tensor>& past, std::int64_t first) {
    std::vector<at::Tensor> all;
    for (const auto& part : past) all.push_back(part.to(at::kDouble));
    all.push_back(heads.narrow(1, first, shape.kv_heads));
    return at::cat(all).repeat_interleave(shape.query_heads / shape.kv_heads, 1).transpose(0, 1);
  };
  const auto keys = with_past(row.past_keys, shape.query_heads);
  const auto values = with_past(row.past_values, shape.query_heads + shape.kv_heads);
  const auto queries = heads.narrow(1, 0, shape.query_heads).transpose(0, 1);
  const std::int64_t total = keys.size(1);
  const auto hidden = at::ones({tokens, total}, at::kBool).triu(total - tokens + 1);
  const auto scores = (at::matmul(queries, keys.transpose(1, 2)) * scale)
                          .masked_fill(hidden, -std::numeric_limits<double>::infinity());
  return at::matmul(at::softmax(scores, -1), values).transpose(0, 1);
}

std::vector<std::int64_t> kv_of_query(const Shape& shape) {
  std::vector<std::int64_t> heads;
  for (std::int64_t q = 0; q < shape.query_heads; ++q) {
    heads.push_back(q / (shape.query_heads / shape.kv_heads));
  }
  return heads;
}

std::vector<cpu::KvSpan> past_of(const Row& row) {
  std::vector<cpu::KvSpan> spans;
  for (std::size_t s = 0; s < row.past_keys.size(); ++s) {
    spans.push_back({row.past_keys[s].const_data_ptr<float>(),
                     row.past_values[s].const_data_ptr<float>(), row.past_keys[s].size(0)});
  }
  return spans;
}

struct Outcome {
  std::vector<at::Tensor> outputs, gradients;
};

Outcome run_kernels(const std::vector<Row>& rows, const std::vector<at::Tensor>& outer,
                    const Shape& shape, double scale) {
  const auto kv_heads = kv_of_query(shape);
  const cpu::AttentionHeads heads = {shape.query_heads, shape.kv_heads, shape.width,
                                     kv_heads.data(), static_cast<float>(scale)};
  Outcome outcome;
  std::vector<at::Tensor> masses;
  std::vector<cpu::AttentionRow> host;
  std::vector<cpu::AttentionGradient> gradients;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const Row& row = rows[r];
    const std::int64_t tokens = row.heads.size(0);
    outcome.outputs.push_back(at::full({tokens, shape.query_heads, shape.width}, NAN));
    outcome.gradients.push_back(at::full_like(row.heads, NAN));
    masses.push_back(at::empty({shape.query_heads * tokens}));
    cpu::AttentionRow& part = host.emplace_back();
    part.heads = row.heads.const_data_ptr<float>();
    part.tokens = tokens;
    part.past = past_of(row);
    part.output = outcome.outputs[r].mutable_data_ptr<float>();
    part.mass = masses[r].mutable_data_ptr<float>();
    gradients.push_back(
        {outer[r].const_data_ptr<float>(), outcome.gradients[r].mutable_data_ptr<float>()});
  }
  cpu::causal_attention(host, heads);
  cpu::causal_attention_backward(host, gradients, heads);
  return outcome;
}

/// The new token of each row, whose own key and value are a span.
std::vector<at::Tensor> decode(const std::vector<Row>& rows, const Shape& shape, double scale) {
  std::vector<std::vector<cpu::KvSpan>> spans;
  std::vector<cpu::DecodeRow> host;
  std::vector<at::Tensor> outputs;
  for (const Row& row : rows) {
    const auto* heads = row.heads.const_data_ptr<float>();
    const auto* own = heads + shape.query_heads * shape.width;
    spans.push_back(past_of(row));
    spans.back().push_back({own, own + shape.kv_heads * shape.width, 1});
    outputs.push_back(at::full({1, shape.query_heads, shape.width}, NAN));
    host.push_back({heads, spans.back().data(), static_cast<int>(spans.back().size()),
                    outputs.back().mutable_data_ptr<float>()});
  }
  const auto kv_heads = kv_of_query(shape);
  cpu::decode_attention(host, {shape.query_heads, shape.kv_heads, shape.width, kv_heads.data(),
                               static_cast<float>(scale)});
  return outputs;
}

class CausalAttention : public ::testing::TestWithParam<std::tuple<InstructionSet, Shape>> {
 protected:
  void SetUp() override {
    if (!cpu::use_instruction_set(std::get<0>(GetParam()))) {
      GTEST_SKIP() << "this processor has not the instruction set";
    }
  }
  void TearDown() override { cpu::use_instruction_set(InstructionSet::kBest); }
};

// Rows below, at and beyond a block of queries and of keys; pasts of none, one and two spans.
TEST_P(CausalAttention, EqualsSoftmaxAndItsGradient) {
  const Shape shape = std::get<1>(GetParam());
  const double scale = 1.0 / std::sqrt(static_cast<double>(shape.width));
  const std::vector<Row> rows = {
      make_row(shape, 1, {}, 1),          make_row(shape, 63, {5}, 10),
      make_row(shape, 64, {64}, 20),      make_row(shape, 130, {}, 30),
      make_row(shape, 150, {73, 70}, 40), make_row(shape, 7, {200, 1}, 50)};
  std::vector<at::Tensor> outer;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    outer.push_back(random({rows[r].heads.size(0), shape.query_heads, shape.width}, 100 + r));
  }
  const Outcome outcome = run_kernels(rows, outer, shape, scale);
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const auto leaf = rows[r].heads.to(at::kDouble).set_requires_grad(true);
    const auto expected = reference(rows[r], leaf, shape, scale);
    (expected * outer[r].to(at::kDouble)).sum().backward();
    EXPECT_LE(relative_difference(outcome.outputs[r], expected.detach()), 2e-6) << "row " << r;
    EXPECT_LE(relative_difference(outcome.gradients[r], leaf.grad()), 5e-6) << "row " << r;
    // Alone it is the same to the last bit.
    const Outcome alone = run_kernels({rows[r]}, {outer[r]}, shape, scale);
    EXPECT_TRUE(at::equal(alone.outputs[0], outcome.outputs[r])) << "row " << r;
    EXPECT_TRUE(at::equal(alone.gradients[0], outcome.gradients[r])) << "row " << r;
  }
}

// Spans below, at and beyond the keys that are multiplied together.
TEST_P(CausalAttention, DecodesOneToken) {
  const Shape shape = std::get<1>(GetParam());
  const double scale = 1.0 / std::sqrt(static_cast<double>(shape.width));
  const std::vector<Row> rows = {make_row(shape, 1, {}, 1), make_row(shape, 1, {4, 1, 6}, 10),
                                 make_row(shape, 1, {16}, 20), make_row(shape, 1, {33, 70}, 30),
                                 make_row(shape, 1, {129, 3}, 40)};
  const auto together = decode(rows, shape, scale);
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const auto expected = reference(rows[r], rows[r].heads.to(at::kDouble), shape, scale);
    EXPECT_LE(relative_difference(together[r], expected), 1e-6) << "row " << r;
    // Alone, where its heads are shared out otherwise, it is the same to the last bit.
    EXPECT_TRUE(at::equal(decode({rows[r]}, shape, scale)[0], together[r])) << "row " << r;
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, CausalAttention,
                         ::testing::Combine(::testing::ValuesIn(kSets),
                                            ::testing::Values(Shape{9, 3, 64}, Shape{4, 4, 16},
                                                              Shape{6, 2, 20}, Shape{14, 2, 128},
                                                              Shape{1, 1, 5})));

TEST(CausalAttentionOfLargeScores, StaysFinite) {
  const Shape shape{2, 1, 64};
  Row row = make_row(shape, 40, {30}, 7);
  row.heads = row.heads * 60.0;
  const auto outer = random({40, 2, 64}, 8);
  const Outcome outcome = run_kernels({row}, {outer}, shape, 0.125);
  const auto expected = reference(row, row.heads.to(at::kDouble), shape, 0.125);
  EXPECT_LE(relative_difference(outcome.outputs[0], expected), 1e-4);
  EXPECT_TRUE(at::isfinite(outcome.gradients[0]).all().item<bool>());
}

}  // namespace
}  // namespace softcot::test
