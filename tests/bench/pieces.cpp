// Fixed pieces of work in our own inner loops, for valgrind to count: each is dumped under its
// name. Started by instruction_count_test; alone it does the same and says nothing. Nothing here
// needs LibTorch, whose start alone would take valgrind a minute.
#include <valgrind/callgrind.h>

#include <functional>
#include <string>
#include <vector>

#include "data/sampler.h"
#include "model/cpu_attention.h"
#include "model/cpu_kernels.h"

namespace softcot::test {
namespace {

void counted(const std::string& name, const std::function<void()>& work) {
  work();  // What it makes once is made.
  CALLGRIND_START_INSTRUMENTATION;
  CALLGRIND_ZERO_STATS;
  work();
  CALLGRIND_DUMP_STATS_AT(name.c_str());
  CALLGRIND_STOP_INSTRUMENTATION;
}

std::vector<float> numbers(std::int64_t count) {
  std::vector<float> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(i % 17) * 0.05F - 0.4F;
  }
  return values;
}

/// SmolLM2's sizes, with the layers' products made smaller.
constexpr std::int64_t kQuery = 9, kKv = 3, kWidth = 64;
constexpr std::int64_t kHidden = kQuery * kWidth;
constexpr std::int64_t kOutputs = 256;
constexpr std::int64_t kTokens = 96;
const std::vector<std::int64_t> kKvOfQuery = {0, 0, 0, 1, 1, 1, 2, 2, 2};

void products() {
  const auto weight = numbers(kOutputs * kHidden);
  std::vector<std::uint16_t> narrow(weight.size());
  cpu::narrow(weight.data(), static_cast<std::int64_t>(weight.size()), narrow.data());
  for (const std::int64_t rows : {1, 8}) {
    const auto x = numbers(rows * kHidden);
    std::vector<float> y(static_cast<std::size_t>(rows * kOutputs));
    const std::string name = "product_" + std::to_string(rows);
    counted(name + "_float32", [&] {
      cpu::few_rows_matmul(x.data(), weight.data(), rows, kHidden, kOutputs, y.data());
    });
    counted(name + "_bfloat16", [&] {
      cpu::few_rows_matmul(x.data(), narrow.data(), rows, kHidden, kOutputs, y.data());
    });
  }
}

void attention() {
  const auto heads = numbers(kTokens * (kQuery + 2 * kKv) * kWidth);
  const auto past = numbers(2 * kTokens * kKv * kWidth);
  const cpu::KvSpan span{past.data(), past.data() + kTokens * kKv * kWidth, kTokens};
  std::vector<float> output(static_cast<std::size_t>(kTokens * kHidden));
  std::vector<float> mass(static_cast<std::size_t>(kTokens * kQuery));
  std::vector<float> gradient(heads.size());
  const cpu::AttentionHeads sizes{kQuery, kKv, kWidth, kKvOfQuery.data(), 0.125F};
  const std::vector<cpu::AttentionRow> rows = {
      {heads.data(), kTokens, {span}, output.data(), mass.data()}};
  counted("attention", [&] { cpu::causal_attention(rows, sizes); });
  const auto d_output = numbers(kTokens * kHidden);
  counted("attention_backward", [&] {
    cpu::causal_attention_backward(rows, {{d_output.data(), gradient.data()}}, sizes);
  });
  const std::vector<cpu::DecodeRow> decoded = {{heads.data(), &span, 1, output.data()}};
  counted("attention_decode", [&] { cpu::decode_attention(decoded, sizes); });
}

void elementwise() {
  const auto x = numbers(kTokens * 2 * kHidden);
  const auto weight = numbers(kHidden);
  std::vector<float> y(x.size()), inverse(kTokens);
  counted("norm", [&] {
    cpu::rms_norm(x.data(), weight.data(), 1e-5F, kTokens, kHidden, y.data(), inverse.data());
  });
  counted("norm_backward", [&] {
    cpu::rms_norm_backward(x.data(), x.data(), weight.data(), inverse.data(), kTokens, kHidden,
                           y.data());
  });
  counted("swiglu", [&] { cpu::swiglu(x.data(), kTokens, kHidden, y.data()); });
  counted("swiglu_backward",
          [&] { cpu::swiglu_backward(x.data(), x.data(), kTokens, kHidden, y.data()); });
}

void order_of_rows() {
  counted("epoch_order", [] {
    EpochSampler sampler(7473, 41);
    sampler.global_batch(0, 4);
  });
}

}  // namespace
}  // namespace softcot::test

int main() {
  softcot::test::products();
  softcot::test::attention();
  softcot::test::elementwise();
  softcot::test::order_of_rows();
  return 0;
}
