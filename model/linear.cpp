#include "model/linear.h"

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>
#include <algorithm>
#include <atomic>

#include "model/compiled_products.h"
#include "model/cpu_instruction_set.h"
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

bool has_few_rows(std::int64_t rows, const at::Tensor& weight) {
  return rows <= few_rows_limit(weight);
}

const std::uint16_t* bf16(const at::Tensor& x) {
  return static_cast<const std::uint16_t*>(x.const_data_ptr());
}

void few_rows(const at::Tensor& x, const at::Tensor& weight, at::Tensor& y) {
  const auto multiply = [&](const auto* left, const auto* right) {
    cpu::few_rows_matmul(left, right, x.size(0), x.size(1), weight.size(0),
                         y.mutable_data_ptr<float>());
  };
  if (weight.scalar_type() == at::kFloat) {
    multiply(x.const_data_ptr<float>(), weight.const_data_ptr<float>());
  } else if (x.scalar_type() == at::kBFloat16) {
    multiply(bf16(x), bf16(weight));
  } else {
    multiply(x.const_data_ptr<float>(), bf16(weight));
  }
}

/// y [P, O] float32 of a bfloat16 weight.
void multiply_widened(const at::Tensor& x, const at::Tensor& weight, at::Tensor& y) {
  for_widened_blocks(weight, [&](const at::Tensor& block, std::int64_t begin) {
    auto out = y.narrow(1, begin, block.size(0));
    at::mm_out(out, x, block.t());
  });
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

at::ScalarType product_input_dtype(std::int64_t rows, const at::Tensor& weight) {
  const bool native = product_dtype(weight.scalar_type()) == at::kBFloat16;
  if (!native) return at::kFloat;
  return has_few_rows(rows, weight) && !cpu::multiplies_bf16() ? at::kFloat : at::kBFloat16;
}

at::ScalarType product_output_dtype(std::int64_t rows, const at::Tensor& weight) {
  return has_few_rows(rows, weight) ? at::kFloat : product_dtype(weight.scalar_type());
}

void multiply_transposed(const at::Tensor& x, const at::Tensor& weight, at::Tensor& y) {
  if (has_few_rows(x.size(0), weight)) {
    few_rows(x, weight, y);
  } else if (is_wide_over_narrow(x, weight)) {
    multiply_widened(x, weight, y);
  } else {
    at::mm_out(y, x, weight.t());
  }
}

at::Tensor product_transposed(const at::Tensor& x, const at::Tensor& weight) {
  const auto input = x.contiguous().to(product_input_dtype(x.size(0), weight));
  auto y = at::empty({x.size(0), weight.size(0)},
                     x.options().dtype(product_output_dtype(x.size(0), weight)));
  multiply_transposed(input, weight, y);
  return y;
}

at::Tensor matmul_transposed(const at::Tensor& x, const at::Tensor& weight) {
  if (!x.is_cpu() || x.scalar_type() != at::kFloat) return at::mm(x, weight.t());
  return product_transposed(x, weight).to(at::kFloat);
}

void multiply_plain(const at::Tensor& dy, const at::Tensor& weight, at::Tensor& dx) {
  if (!is_wide_over_narrow(dy, weight)) {
    at::mm_out(dx, dy, weight);
    return;
  }
  dx.zero_();
  for_widened_blocks(weight, [&](const at::Tensor& block, std::int64_t begin) {
    dx.addmm_(dy.narrow(1, begin, block.size(0)), block);
  });
}

at::Tensor matmul_plain(const at::Tensor& dy, const at::Tensor& weight) {
  if (!is_wide_over_narrow(dy, weight)) return at::matmul(dy, weight);
  const auto dtype = product_dtype(weight.scalar_type());
  auto dx = at::empty({dy.size(0), weight.size(1)}, dy.options().dtype(dtype));
  multiply_plain(dy.to(dtype), weight, dx);
  return dx.to(at::kFloat);
}

at::Tensor linear(const at::Tensor& x, const LinearWeights& layer) {
  if (at::GradMode::is_enabled() && !layer.leaves.empty()) {
    std::vector<at::Tensor> parts;
    for (const auto& leaf : layer.leaves) parts.push_back(at::linear(x, leaf.weight, leaf.bias));
    return parts.size() == 1 ? parts[0] : at::cat(parts, 1);
  }
  if (!x.is_cpu()) {
    const auto transposed = layer.weight.t();
    return layer.bias.defined() ? at::addmm(layer.bias, x, transposed) : at::mm(x, transposed);
  }
  if (at::GradMode::is_enabled() && x.requires_grad()) {
    return FrozenLinearFunction::apply(x, layer);
  }
  return apply_layer(x, layer);
}

}  // namespace softcot
