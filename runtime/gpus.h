#pragma once

#include <optional>
#include <string>
#include <vector>

namespace softcot {

/// Names (UUIDs) of the GPUs that this process may use, in the driver's order; empty without a
/// driver. Asked of the driver's library itself, opened at run time: no build needs CUDA for it.
std::vector<std::string> visible_gpus();

/// The model of the first of them, as the driver names it: "NVIDIA H100 80GB HBM3"; empty without.
std::string first_gpu_model();

/// Which of its visible GPUs a rank takes: the first that no rank before it on the machine takes.
/// `visible` has the GPUs of each rank of the machine in order of local rank: all may see all of
/// them, or each its own, as the launcher has it. Nothing when none is left. Plain arithmetic.
std::optional<int> gpu_for_rank(const std::vector<std::vector<std::string>>& visible,
                                int local_rank);

}  // namespace softcot
