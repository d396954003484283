#include "launch/sweep/gpu_slots.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <optional>

#include "launch/machine/device_choice.h"
#include "runtime/counted.h"
#include "runtime/error.h"
#include "runtime/gpus.h"

namespace softcot {

bool looks_for_gpus(const Settings& settings) {
  const auto found = settings.find("parallel.device");
  const std::string device = found == settings.end() ? "auto" : found->second;
  if (device == "cpu") return false;
  return looks_for_gpus(device == "cuda" ? DeviceChoice::kCuda : DeviceChoice::kAuto);
}

std::vector<std::string> divide_gpus(const std::vector<std::string>& gpus,
                                     const WorkOptions& options, const LocalGroup& group) {
  const auto ranks = static_cast<std::size_t>(options.ranks);
  const auto jobs = static_cast<std::size_t>(options.jobs);
  const std::size_t slots = jobs * static_cast<std::size_t>(group.count);
  if (slots == 1) return {};
  const std::size_t next_group = static_cast<std::size_t>(group.index) + 1;
  if (std::max(slots, next_group * jobs) * ranks > gpus.size()) {
    fail(ExitCode::kResources,
         {.what = "more steps at a time than GPUs for them",
          .where = "--jobs, --ranks and the ranks of this job on one machine",
          .expected = fmt::format("at least {}, {} for each of {}", counted(slots * ranks, "GPU"),
                                  options.ranks, counted(slots, "step")),
          .got = fmt::format("{} that this process sees", gpus.size()),
          .fix = "lower --jobs, let every rank of the job see all GPUs of its machine, or give "
                 "--parallel.device cpu"});
  }
  std::vector<std::string> lists;
  std::size_t next = static_cast<std::size_t>(group.index) * jobs * ranks;
  for (std::size_t job = 0; job < jobs; ++job, next += ranks) {
    lists.push_back(fmt::format(
        "{}", fmt::join(gpus.begin() + static_cast<std::ptrdiff_t>(next),
                        gpus.begin() + static_cast<std::ptrdiff_t>(next + ranks), ",")));
  }
  return lists;
}

std::vector<std::string> gpus_of_slots(const std::vector<Work>& works, const WorkOptions& options,
                                       const LocalGroup& group) {
  const bool look = std::any_of(works.begin(), works.end(), [](const Work& work) {
    return std::any_of(work.configs.begin(), work.configs.end(),
                       [](const auto& config) { return looks_for_gpus(config.second); });
  });
  if (!look) return {};
  const VisibleGpus found = visible_gpus();
  if (!found.problem.empty()) fail(ExitCode::kResources, driver_problem(found, "this machine"));
  if (found.gpus.empty()) return {};  // The steps say what they lack.
  const char* own = std::getenv("CUDA_VISIBLE_DEVICES");
  return divide_gpus(
      names_for_children(found.gpus, own == nullptr ? std::nullopt : std::optional(own)), options,
      group);
}

}  // namespace softcot
