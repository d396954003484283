#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace softcot {

/// One GPU, or one MIG instance of one.
struct Gpu {
  std::string name;         ///< As CUDA_VISIBLE_DEVICES takes it: "GPU-8f3c…", "MIG-5a01…".
  std::string model;        ///< "NVIDIA H100 80GB HBM3"
  std::uint64_t bytes = 0;  ///< Of its memory.
};

/// What the driver says of the GPUs that this process may use.
struct VisibleGpus {
  std::vector<Gpu> gpus = {};  ///< In the driver's order; empty without a driver or a device.
  /// Why a driver that is installed shows none: "cuInit: error 802, system not ready". Empty where
  /// `gpus` is the whole truth.
  std::string problem = {};
  std::string fix = {};  ///< What to do about it.
};

/// Asked of the driver's library itself, opened at run time: no build needs CUDA for it. Local.
VisibleGpus visible_gpus();

/// The names by which a child process can be shown these GPUs, one for each: the entries of
/// `own_list`, this process's CUDA_VISIBLE_DEVICES, where it has one, else their own names.
std::vector<std::string> names_for_children(const std::vector<Gpu>& gpus,
                                            const std::optional<std::string>& own_list);

/// Which of its visible GPUs a rank takes: the first that no rank before it on the machine takes.
/// `visible` has the GPUs of each rank of the machine in order of local rank: all may see all of
/// them, or each its own, as the launcher has it. Nothing when none is left. Plain arithmetic.
std::optional<int> gpu_for_rank(const std::vector<std::vector<std::string>>& visible,
                                int local_rank);

}  // namespace softcot
