#pragma once

#include <ATen/core/Tensor.h>

namespace softcot {

/// Root-mean-square norm (Zhang & Sennrich, 2019) with weight [H]: x [P, H] → [P, H]. Computed in
/// float32 whatever x's dtype. Differentiable in x, and in the weight where that asks for it.
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double epsilon);

/// silu(gate) · up (Shazeer, 2020): gate_up [P, 2F] = [gate, up] → [P, F]. Differentiable.
at::Tensor swiglu(const at::Tensor& gate_up);

/// Whether the fused host kernels take x: float32 on the host, and not set to be the reference.
bool fuses_on_host(const at::Tensor& x);

/// Chooses plain LibTorch operators in place of the fused host kernels, here and in HostPass: the
/// reference that tests hold them against.
void set_reference_elementwise(bool on);

}  // namespace softcot
