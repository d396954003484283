#include "launch/run/restarts.h"

#include <fmt/format.h>

#include <cstdlib>

#include "runtime/atomic_file.h"
#include "runtime/counted.h"
#include "runtime/error.h"
#include "runtime/json_file.h"
#include "runtime/log.h"

namespace softcot {
namespace {

constexpr std::int64_t kInVain = 3;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// The earlier starts of this job that came no further than `progress`; 0 if anything has changed.
std::int64_t earlier_in_vain(const std::filesystem::path& file, const nlohmann::json& now) {
  if (variable("SLURM_RESTART_COUNT").empty() || !std::filesystem::exists(file)) return 0;
  const auto before = parse_json_or_null(read_file(file, 1U << 16));
  if (!before.is_object()) return 0;
  for (const char* same : {"command", "job", "progress"}) {
    if (before.value(same, nlohmann::json()) != now[same]) return 0;
  }
  return optional<std::int64_t>(before, "in_vain", 0, file.string(), ExitCode::kUsage) + 1;
}

}  // namespace

void count_restart(const std::filesystem::path& folder, const std::string& command,
                   const std::function<std::uint64_t()>& progress) {
  // Every task of a job array has a number of its own.
  const std::string job = variable("SLURM_JOB_ID");
  if (job.empty()) return;
  const auto file = folder / "restarts.json";
  nlohmann::ordered_json now = {{"command", command}, {"job", job}, {"progress", progress()}};
  const std::int64_t in_vain = earlier_in_vain(file, now);
  now["in_vain"] = in_vain;
  write_file_atomically(file, now.dump() + "\n");
  if (in_vain >= kInVain) {
    fail(ExitCode::kResources,
         {.what = fmt::format("{} restarts of this job without progress", in_vain),
          .where = folder.string(),
          .got = fmt::format("{} has begun at {} each time", command,
                             now["progress"].get<std::uint64_t>()),
          .fix = "give the job more time, or save sooner (train.checkpoint-every, "
                 "stop.margin-seconds); then submit it again"});
  }
  if (in_vain > 0) log_warning("restarted {} without progress", counted(in_vain, "time"));
}

}  // namespace softcot
