#include <fmt/format.h>
#include <hdf5.h>
#include <mpi.h>
#include <torch/version.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <string>

#include "launch/machine/machine_survey.h"
#include "runtime/counted.h"
#include "runtime/error.h"
#include "runtime/gpus.h"
#include "runtime/nccl_library.h"

namespace softcot {
namespace {

Finding survey_torch() {
#ifdef SOFTCOT_WITH_CUDA
  return {.topic = "LibTorch", .value = TORCH_VERSION ", built for CPU and CUDA"};
#else
  return {.topic = "LibTorch", .value = TORCH_VERSION ", built for CPU"};
#endif
}

Finding survey_mpi(int ranks) {
  std::array<char, MPI_MAX_LIBRARY_VERSION_STRING> text{};
  int length = 0;
  MPI_Get_library_version(text.data(), &length);
  std::string version(text.data(), static_cast<std::size_t>(length));
  version = version.substr(0, version.find_first_of(",\n"));
  Finding finding{.topic = "MPI", .value = fmt::format("{}, {}", version, counted(ranks, "rank"))};
  if (ranks == 1) {
    finding.meaning = "started alone: one process does all the work";
    finding.remedy = "mpirun -n 2 softcot doctor shows whether ranks can be started here";
  }
  return finding;
}

Finding survey_hdf5() {
  unsigned major = 0;
  unsigned minor = 0;
  unsigned release = 0;
  H5get_libversion(&major, &minor, &release);
  return {.topic = "HDF5", .value = fmt::format("{}.{}.{}", major, minor, release)};
}

bool on_path(const std::string& program) {
  const char* path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    if (access((std::filesystem::path(folder) / program).c_str(), X_OK) == 0) return true;
  }
  return false;
}

Finding survey_gnuplot() {
  if (on_path("gnuplot")) return {.topic = "gnuplot", .value = "found"};
  return {.topic = "gnuplot",
          .value = "not found",
          .state = Finding::State::kAbsent,
          .meaning = "reports have tables but no pictures",
          .remedy = "apt install gnuplot-nox"};
}

Finding no_gpu(std::string value, std::string remedy) {
  return {.topic = "GPU",
          .value = std::move(value),
          .state = Finding::State::kAbsent,
          .meaning = "everything runs on the processor, which is enough for small models",
          .remedy = std::move(remedy)};
}

Finding survey_nccl(bool has_gpu) {
  try {
    const NcclLibrary& nccl = NcclLibrary::get();
    return {.topic = "NCCL", .value = fmt::format("{}, {}", nccl.version(), nccl.path())};
  } catch (const Error& error) {
    return {.topic = "NCCL",
            .value = "not found: " + error.problem().got,
            .state = has_gpu ? Finding::State::kProblem : Finding::State::kAbsent,
            .meaning = has_gpu ? "several GPUs cannot work on one model"
                               : "not needed without GPUs: ranks talk through MPI",
            .remedy = has_gpu ? "install libnccl2, or name the file in SOFTCOT_NCCL_LIBRARY" : ""};
  }
}

}  // namespace

std::vector<Finding> survey_libraries(int ranks) {
  return {survey_torch(), survey_mpi(ranks), survey_hdf5(), survey_gnuplot()};
}

std::vector<Finding> survey_gpus() {
  const VisibleGpus found = visible_gpus();
  if (!found.problem.empty()) {
    Finding broken{.topic = "GPU",
                   .value = found.problem,
                   .state = Finding::State::kProblem,
                   .meaning = "the NVIDIA driver is here but shows no device",
                   .remedy = found.fix};
    return {std::move(broken), survey_nccl(false)};
  }
  if (found.gpus.empty()) {
    return {no_gpu("none: no NVIDIA driver, or one that shows no device",
                   "a batch job must ask for GPUs; nvidia-smi shows what is here"),
            survey_nccl(false)};
  }
  std::vector<Finding> findings;
  for (std::size_t device = 0; device < found.gpus.size(); ++device) {
    const Gpu& gpu = found.gpus[device];
    Finding finding{.topic = fmt::format("GPU {}", device),
                    .value = fmt::format("{}, {:.0f} GiB", gpu.model,
                                         static_cast<double>(gpu.bytes) / (1024.0 * 1024 * 1024))};
#ifndef SOFTCOT_WITH_CUDA
    finding.state = Finding::State::kAbsent;
    finding.meaning = "this build of softcot does not use it";
    finding.remedy = "build with the preset cuda";
#endif
    findings.push_back(std::move(finding));
  }
  findings.push_back(survey_nccl(true));
  return findings;
}

}  // namespace softcot
