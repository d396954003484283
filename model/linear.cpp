#include "model/linear.h"

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>
#include <algorithm>
#include <atomic>

#include "model/compiled_products.h"
#include "model/cpu_kernels.h"

namespace softcot {
namespace {

std::atomic<Bf16Matmul> bf16_choice{Bf16Matmul::kAuto};

/// Up to so many rows the fused kernel is faster than the library's product (docs/performance.md),
/// and up to the smaller number it is used even where the processor multiplies bfloat16: so the
/// numbers of a row that is decoded do not depend on how many are decoded with it.
constexpr std::int64_t kFewRows = 128;
constexpr std::int64_t kFewRowsNative = 64;
/// Elements of weight widened to float32 at a time (8 MB): small beside the model, large beside a
/// matrix product's tiles.
constexpr std::int64_t kWidenedElements = std::int64_t{1} << 21;

bool multiplies_bf16() {
  const Bf16Matmul choice = bf16_choice.load(std::memory_order_relaxed);
  return choice == Bf16Matmul::kAuto ? processor_multiplies_bf16() : choice == Bf16Matmul::kNative;
}

bool is_wide_over_narrow(const at::Tensor& x, const at::Tensor& weight) {
  return x.scalar_type() == at::kFloat && weight.scalar_type() == at::kBFloat16;
}

std::int64_t few_rows_limit(const at::Tensor& weight) {
  return weight.scalar_type() == at::kBFloat16 && multiplies_bf16() ? kFewRowsNative : kFewRows;
}

/// Calls `use(rows of the weight in float32, first row)` for consecutive blocks of rows.
template <typename Use>
void for_widened_blocks(const at::Tensor& weight, Use use) {
  const std::int64_t step = std::max<std::int64_t>(1, kWidenedElements / weight.size(1));
  for (std::int64_t begin = 0; begin < weight.size(0); begin += step) {
    const std::int64_t rows = std::min(step, weight.size(0) - begin);
    use(weight.narrow(0, begin, rows).to(at::kFloat), begin);
  }
}

at::Tensor few_rows(const at::Tensor& x, const at::Tensor& weight) {
  const auto input = x.contiguous();
  auto y = at::empty({x.size(0), weight.size(0)}, x.options());
  const auto* data = input.const_data_ptr<float>();
  auto* out = y.mutable_data_ptr<float>();
  const auto multiply = [&](const auto* left, const auto* right) {
    cpu::few_rows_matmul(left, right, x.size(0), x.size(1), weight.size(0), out);
  };
  if (weight.scalar_type() == at::kFloat) {
    multiply(data, weight.const_data_ptr<float>());
  } else if (multiplies_bf16() && cpu::multiplies_bf16()) {
    const auto narrow = input.to(at::kBFloat16);
    multiply(static_cast<const std::uint16_t*>(narrow.const_data_ptr()),
             static_cast<const std::uint16_t*>(weight.const_data_ptr()));
  } else {
    multiply(data, static_cast<const std::uint16_t*>(weight.const_data_ptr()));
  }
  return y;
}

at::Tensor apply_layer(const at::Tensor& x, const LinearWeights& layer) {
  auto y = matmul_transposed(x, layer.weight);
  if (layer.bias.defined()) y.add_(layer.bias);
  return y;
}

struct FrozenLinearFunction : torch::autograd::Function<FrozenLinearFunction> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x,
                            const LinearWeights& layer) {
    context->save_for_backward({layer.weight});
    return apply_layer(x, layer);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    const auto weight = context->get_saved_variables()[0];
    return {matmul_plain(gradients[0].contiguous(), weight), at::Tensor()};
  }
};

}  // namespace

void set_bf16_matmul(Bf16Matmul choice) { bf16_choice = choice; }

at::ScalarType product_dtype(at::ScalarType weight) {
  return weight == at::kBFloat16 && multiplies_bf16() ? at::kBFloat16 : at::kFloat;
}

at::Tensor matmul_transposed(const at::Tensor& x, const at::Tensor& weight) {
  const bool host_float = x.is_cpu() && x.scalar_type() == at::kFloat;
  if (host_float && x.size(0) <= few_rows_limit(weight)) return few_rows(x, weight);
  if (!is_wide_over_narrow(x, weight)) return at::matmul(x, weight.t());
  if (multiplies_bf16()) return at::matmul(x.to(at::kBFloat16), weight.t()).to(at::kFloat);
  auto y = at::empty({x.size(0), weight.size(0)}, x.options());
  for_widened_blocks(weight, [&](const at::Tensor& block, std::int64_t begin) {
    auto out = y.narrow(1, begin, block.size(0));
    at::mm_out(out, x, block.t());
  });
  return y;
}

at::Tensor matmul_plain(const at::Tensor& dy, const at::Tensor& weight) {
  if (!is_wide_over_narrow(dy, weight)) return at::matmul(dy, weight);
  if (multiplies_bf16()) return at::matmul(dy.to(at::kBFloat16), weight).to(at::kFloat);
  auto dx = at::zeros({dy.size(0), weight.size(1)}, dy.options());
  for_widened_blocks(weight, [&](const at::Tensor& block, std::int64_t begin) {
    dx.addmm_(dy.narrow(1, begin, block.size(0)), block);
  });
  return dx;
}

at::Tensor linear(const at::Tensor& x, const LinearWeights& layer) {
  if (at::GradMode::is_enabled() && !layer.leaves.empty()) {
    std::vector<at::Tensor> parts;
    for (const auto& leaf : layer.leaves) parts.push_back(at::linear(x, leaf.weight, leaf.bias));
    return parts.size() == 1 ? parts[0] : at::cat(parts, 1);
  }
  if (at::GradMode::is_enabled() && x.requires_grad()) {
    return FrozenLinearFunction::apply(x, layer);
  }
  return apply_layer(x, layer);
}

}  // namespace softcot
