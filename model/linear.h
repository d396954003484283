#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace softcot {

/// A matrix and bias of this rank: y [P, O] = x [P, I] · weight [O, I]^T + bias [O]. The weight is
/// float32 or bfloat16; the bias is float32 on the host, or undefined.
struct LinearWeights {
  at::Tensor weight;
  at::Tensor bias;
  /// In full fine-tuning the autograd leaves, float32, that share the memory of weight and bias:
  /// one for each of the matrices that are stacked in it, in order. Else empty: frozen.
  struct Leaf {
    at::Tensor weight, bias;
  };
  std::vector<Leaf> leaves;
};

/// y of LinearWeights. Differentiable in x and in the leaves, if any. Without leaves the backward
/// pass is dx = dy · weight, and nothing but a reference to the weight is kept for it. Activations
/// are in x's dtype; a bfloat16 weight under float32 activations is used as bfloat16 (activations
/// rounded to it) where the processor multiplies bfloat16 itself, and widened block by block to
/// float32 elsewhere.
at::Tensor linear(const at::Tensor& x, const LinearWeights& layer);

/// x [P, I] · weight [O, I]^T and dy [P, O] · weight [O, I], without autograd.
at::Tensor matmul_transposed(const at::Tensor& x, const at::Tensor& weight);
at::Tensor matmul_plain(const at::Tensor& dy, const at::Tensor& weight);

/// matmul_transposed of float32 on the host, but left in product_output_dtype.
at::Tensor product_transposed(const at::Tensor& x, const at::Tensor& weight);

/// The same into y [P, O] on the host, with x in product_input_dtype and y in product_output_dtype:
/// the numbers of matmul_transposed of float32, narrowed and widened.
void multiply_transposed(const at::Tensor& x, const at::Tensor& weight, at::Tensor& y);
at::ScalarType product_input_dtype(std::int64_t rows, const at::Tensor& weight);
at::ScalarType product_output_dtype(std::int64_t rows, const at::Tensor& weight);

/// dy [P, O] · weight [O, I] into dx [P, I] on the host, both in product_dtype.
void multiply_plain(const at::Tensor& dy, const at::Tensor& weight, at::Tensor& dx);

/// The dtype in which products with weights of `weight` dtype are made on the host.
at::ScalarType product_dtype(at::ScalarType weight);

/// How bfloat16 weights meet float32 activations on the host. kAuto asks the processor; the others
/// are for tests, which hold both paths against each other.
enum class Bf16Matmul { kAuto, kNative, kWiden };
void set_bf16_matmul(Bf16Matmul choice);

}  // namespace softcot
