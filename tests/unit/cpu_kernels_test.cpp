// The fused host loops against chains of LibTorch operators in float64.
#include <gtest/gtest.h>

#include <algorithm>

#include <cmath>
#include <tuple>
#include <vector>

#include "model/cpu_instruction_set.h"
#include "model/cpu_kernels.h"
#include "model/elementwise.h"
#include "model/linear.h"
#include "model/logits.h"
#include "support/tensors.h"

namespace softcot::test {
namespace {

at::Tensor random(at::IntArrayRef shape, std::uint64_t seed) {
  return at::randn(shape, at::make_generator<at::CPUGeneratorImpl>(seed), at::kFloat);
}

/// The gradient of sum(y · weight) with respect to x.
template <typename Function>
at::Tensor gradient(const Function& function, const at::Tensor& x, const at::Tensor& weight) {
  const auto leaf = x.detach().clone().set_requires_grad(true);
  (function(leaf) * weight).sum().backward();
  return leaf.grad();
}

// Widths that are, and are not, multiples of a vector.
class Widths : public ::testing::TestWithParam<std::tuple<cpu::InstructionSet, std::int64_t>> {
 protected:
  void SetUp() override {
    if (!cpu::use_instruction_set(std::get<0>(GetParam()))) {
      GTEST_SKIP() << "this processor has not the instruction set";
    }
  }
  void TearDown() override { cpu::use_instruction_set(cpu::InstructionSet::kBest); }
  static std::int64_t width() { return std::get<1>(GetParam()); }
};

TEST_P(Widths, RmsNorm) {
  const auto x = random({7, width()}, 1);
  const auto scale = random({width()}, 2);
  const auto outer = random({7, width()}, 3);
  const auto reference = [&](const at::Tensor& v) {
    const auto wide = v.to(at::kDouble);
    return wide * at::rsqrt(wide.square().mean(-1, true) + 1e-5) * scale.to(at::kDouble);
  };
  const auto fused = [&](const at::Tensor& v) { return rms_norm(v, scale, 1e-5); };
  EXPECT_LE(relative_difference(fused(x), reference(x)), 1e-6);
  EXPECT_LE(relative_difference(gradient(fused, x, outer), gradient(reference, x, outer)), 2e-6);
}

TEST_P(Widths, Swiglu) {
  const auto x = random({7, 2 * width()}, 4) * 8.0;
  const auto outer = random({7, width()}, 5);
  const auto reference = [&](const at::Tensor& v) {
    const auto parts = v.to(at::kDouble).chunk(2, -1);
    return at::silu(parts[0]) * parts[1];
  };
  const auto fused = [&](const at::Tensor& v) { return swiglu(v); };
  EXPECT_LE(relative_difference(fused(x), reference(x)), 1e-6);
  EXPECT_LE(relative_difference(gradient(fused, x, outer), gradient(reference, x, outer)), 2e-6);
}

TEST_P(Widths, FewRowsProduct) {
  const auto weight = random({37, width()}, 6);
  const auto narrow = weight.to(at::kBFloat16);
  for (const std::int64_t rows : {1, 2, 3, 4, 5, 6, 7, 8, 13, 64, 127, 128, 129}) {
    SCOPED_TRACE(rows);
    const auto x = random({rows, width()}, 7);
    EXPECT_LE(relative_difference(matmul_transposed(x, weight),
                                  at::matmul(x.to(at::kDouble), weight.to(at::kDouble).t())),
              1e-6);
    set_bf16_matmul(Bf16Matmul::kWiden);
    EXPECT_LE(relative_difference(matmul_transposed(x, narrow),
                                  at::matmul(x.to(at::kDouble), narrow.to(at::kDouble).t())),
              1e-6);
    set_bf16_matmul(Bf16Matmul::kAuto);
    if (!cpu::multiplies_bf16()) continue;
    // What is multiplied are the rows rounded to bfloat16.
    set_bf16_matmul(Bf16Matmul::kNative);
    EXPECT_LE(relative_difference(
                  matmul_transposed(x, narrow),
                  at::matmul(x.to(at::kBFloat16).to(at::kDouble), narrow.to(at::kDouble).t())),
              rows <= 64 ? 1e-6 : 4e-3);  // The library's product rounds its results, too.
    set_bf16_matmul(Bf16Matmul::kAuto);
  }
}

// What a row comes to must not depend on the rows beside it.
TEST_P(Widths, FewRowsProductIsTheSameForARowAlone) {
  const auto weight = random({37, width()}, 6).to(at::kBFloat16);
  const auto x = random({64, width()}, 7);
  const auto together = matmul_transposed(x, weight);
  for (const std::int64_t row : {0, 5, 62, 63}) {
    EXPECT_TRUE(matmul_transposed(x.narrow(0, row, 1), weight).equal(together.narrow(0, row, 1)));
    const std::int64_t begin = std::min<std::int64_t>(row, 61);
    EXPECT_TRUE(
        matmul_transposed(x.narrow(0, begin, 3), weight).equal(together.narrow(0, begin, 3)));
  }
}

const std::uint16_t* bits(const at::Tensor& narrow) {
  return static_cast<const std::uint16_t*>(narrow.const_data_ptr());
}

/// The bfloat16 tensor [rows, width] that `fill` writes.
template <typename Fill>
at::Tensor narrow_result(std::int64_t rows, std::int64_t width, const Fill& fill) {
  auto y = at::empty({rows, width}, at::kBFloat16);
  fill(static_cast<std::uint16_t*>(y.mutable_data_ptr()));
  return y;
}

bool same_bits(const at::Tensor& a, const at::Tensor& b) {
  return a.view(at::kShort).equal(b.view(at::kShort));
}

// The library rounds to bfloat16 in the same way, ties to even, infinities and NaN kept.
TEST_P(Widths, NarrowsAndWidens) {
  auto x = random({3, width()}, 8) * 1e3;
  x.view(-1)[0] = INFINITY;
  x.view(-1)[1] = -NAN;
  x.view(-1)[2] = 1.00390625;  // a tie: down
  x.view(-1)[3] = 1.01171875;  // a tie: up
  const auto narrow = narrow_result(
      3, width(), [&](auto* y) { cpu::narrow(x.const_data_ptr<float>(), x.numel(), y); });
  const auto expected = x.to(at::kBFloat16);
  EXPECT_TRUE(narrow.isnan().equal(expected.isnan()));
  EXPECT_TRUE(same_bits(narrow.nan_to_num(7), expected.nan_to_num(7)));

  const auto bias = random({width()}, 9);
  const auto finite = narrow.nan_to_num(7);
  auto wide = at::empty({3, width()});
  cpu::widen(bits(finite), bias.const_data_ptr<float>(), 3, width(),
             wide.mutable_data_ptr<float>());
  EXPECT_TRUE(wide.equal(finite.to(at::kFloat) + bias));
  cpu::widen(bits(finite), nullptr, 3, width(), wide.mutable_data_ptr<float>());
  EXPECT_TRUE(wide.equal(finite.to(at::kFloat)));
}

TEST_P(Widths, Adds) {
  const auto x = random({5, width()}, 10), y = random({5, width()}, 11);
  const auto narrow = x.to(at::kBFloat16);
  auto sum = y.clone();
  cpu::add(x.const_data_ptr<float>(), x.numel(), sum.mutable_data_ptr<float>());
  EXPECT_TRUE(sum.equal(y + x));
  sum.copy_(y);
  cpu::add(bits(narrow), x.numel(), sum.mutable_data_ptr<float>());
  EXPECT_TRUE(sum.equal(y + narrow.to(at::kFloat)));
}

TEST_P(Widths, RoundedResultsAreTheRoundedResults) {
  const auto x = random({7, width()}, 12);
  const auto scale = random({width()}, 13);
  EXPECT_TRUE(same_bits(narrow_result(7, width(),
                                      [&](auto* y) {
                                        cpu::rms_norm(x.const_data_ptr<float>(),
                                                      scale.const_data_ptr<float>(), 1e-5F, 7,
                                                      width(), y, nullptr);
                                      }),
                        rms_norm(x, scale, 1e-5).to(at::kBFloat16)));
  const auto gate_up = random({7, 2 * width()}, 14) * 8.0;
  const auto narrow = gate_up.to(at::kBFloat16);
  EXPECT_TRUE(same_bits(
      narrow_result(7, width(),
                    [&](auto* y) { cpu::swiglu(gate_up.const_data_ptr<float>(), 7, width(), y); }),
      swiglu(gate_up).to(at::kBFloat16)));
  EXPECT_TRUE(same_bits(
      narrow_result(7, width(), [&](auto* y) { cpu::swiglu(bits(narrow), 7, width(), y); }),
      swiglu(narrow.to(at::kFloat)).to(at::kBFloat16)));
}

TEST_P(Widths, GradientsOfRoundedNumbersAreTheRoundedGradients) {
  const auto gate_up = (random({7, 2 * width()}, 15) * 4.0).to(at::kBFloat16);
  const auto dy = random({7, width()}, 16).to(at::kBFloat16);
  const auto expected = gradient([](const at::Tensor& v) { return swiglu(v); },
                                 gate_up.to(at::kFloat), dy.to(at::kFloat));
  EXPECT_TRUE(same_bits(narrow_result(7, 2 * width(),
                                      [&](auto* d_gate_up) {
                                        cpu::swiglu_backward(bits(dy), bits(gate_up), 7, width(),
                                                             d_gate_up);
                                      }),
                        expected.to(at::kBFloat16)));

  const auto x = random({7, width()}, 17), scale = random({width()}, 18);
  auto sum = random({7, width()}, 19);
  const auto change = gradient([&](const at::Tensor& v) { return rms_norm(v, scale, 1e-5); }, x,
                               dy.to(at::kFloat).narrow(1, 0, width()));
  auto y = at::empty_like(x), inverse = at::empty({7}, at::kFloat);
  cpu::rms_norm(x.const_data_ptr<float>(), scale.const_data_ptr<float>(), 1e-5F, 7, width(),
                y.mutable_data_ptr<float>(), inverse.mutable_data_ptr<float>());
  const auto total = sum + change;
  cpu::add_rms_norm_backward(bits(dy), x.const_data_ptr<float>(), scale.const_data_ptr<float>(),
                             inverse.const_data_ptr<float>(), 7, width(),
                             sum.mutable_data_ptr<float>());
  EXPECT_TRUE(sum.equal(total));
}

TEST_P(Widths, Logits) {
  const auto wide = random({5, width()}, 20) * 20.0;
  const auto target =
      at::tensor({std::int64_t{0}, width() - 1, std::int64_t{-1}, width() / 2, std::int64_t{-1}});
  for (const auto& logits : {wide, wide.to(at::kBFloat16)}) {
    SCOPED_TRACE(at::toString(logits.scalar_type()));
    const auto exact = logits.to(at::kDouble);
    const auto largest = largest_logits(logits);
    EXPECT_TRUE(largest.value.equal(std::get<0>(logits.to(at::kFloat).max(1))));
    EXPECT_TRUE(largest.index.equal(logits.to(at::kFloat).argmax(1)));
    const auto mass = exponential_sums(logits, largest.value);
    const auto exact_mass = (exact - largest.value.unsqueeze(1)).exp().sum(1);
    EXPECT_LE(relative_difference(mass, exact_mass), 1e-6);
    auto expected = exact.softmax(1);
    for (std::int64_t r = 0; r < 5; ++r) {
      const auto at = target[r].item<std::int64_t>();
      if (at >= 0) expected[r][at] -= 1.0;
    }
    const auto found = likelihood_gradient(logits.clone(), largest.value, mass, target);
    ASSERT_EQ(found.scalar_type(), logits.scalar_type());
    EXPECT_LE(largest_difference(found, expected),
              found.scalar_type() == at::kFloat ? 1e-6 : 1.0 / 512);
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, Widths,
                         ::testing::Combine(::testing::Values(cpu::InstructionSet::kPortable,
                                                              cpu::InstructionSet::kAvx2,
                                                              cpu::InstructionSet::kAvx512,
                                                              cpu::InstructionSet::kAvx512Bf16),
                                            ::testing::Values(5, 16, 37, 64, 576)));

TEST(Swiglu, SaturatesWithoutOverflow) {
  const auto x = at::tensor({-200.0F, -90.0F, 90.0F, 200.0F, 1.0F, 1.0F, 1.0F, 1.0F}).view({1, 8});
  const auto y = swiglu(x);
  EXPECT_TRUE(y.isfinite().all().item<bool>());
  EXPECT_NEAR(y[0][0].item<double>(), 0.0, 1e-30);
  EXPECT_FLOAT_EQ(y[0][3].item<float>(), 200.0F);
}

}  // namespace
}  // namespace softcot::test
