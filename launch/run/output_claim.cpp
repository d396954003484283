#include "launch/run/output_claim.h"

#include <fmt/format.h>

#include <string>
#include <system_error>
#include <utility>

#include "runtime/atomic_file.h"
#include "runtime/hash.h"
#include "runtime/launcher.h"
#include "runtime/log.h"
#include "runtime/single_voice.h"

namespace softcot {
namespace {

namespace fs = std::filesystem;

FileLock take(const fs::path& lock_file) {
  if (auto lock = FileLock::try_take(lock_file)) return std::move(*lock);
  log_info("{}: waits for another softcot that writes here, {}",
           fs::absolute(lock_file).parent_path().string(), FileLock::holder(lock_file));
  return FileLock::take(lock_file);
}

}  // namespace

bool claimed_by_another_rank(const fs::path& output) {
  const LauncherJob job = launcher_job();
  if (job.size == 1) return false;
  const auto path = fs::weakly_canonical(fs::absolute(output));
  const std::string name = "output-" + hash_bytes(path.string());
  // A script on every rank may write it several times: the n-th call of a rank is compared with the
  // n-th of the others.
  int call = 1;
  while (leave_job_mark(fmt::format("{}-{}-of-rank-{}", name, call, job.rank)) == JobMark::kTaken) {
    ++call;
  }
  return leave_job_mark(fmt::format("{}-{}", name, call)) == JobMark::kTaken;
}

std::optional<OutputClaim> OutputClaim::in_folder(const fs::path& folder) {
  if (claimed_by_another_rank(folder)) return std::nullopt;
  const bool made = !fs::exists(folder);
  make_folder(folder);
  return OutputClaim(folder / ".output.lock", made);
}

std::optional<OutputClaim> OutputClaim::beside(const fs::path& folder) {
  if (claimed_by_another_rank(folder)) return std::nullopt;
  const auto parent = fs::absolute(folder).parent_path();
  make_folder(parent);
  return OutputClaim(parent / fmt::format(".{}.lock", folder.filename().string()), false);
}

OutputClaim::OutputClaim(fs::path lock_file, bool made_folder)
    : lock_file_(std::move(lock_file)), made_folder_(made_folder), lock_(take(lock_file_)) {}

OutputClaim::OutputClaim(OutputClaim&& other) noexcept
    : lock_file_(std::exchange(other.lock_file_, {})),
      made_folder_(other.made_folder_),
      lock_(std::move(other.lock_)) {}

OutputClaim::~OutputClaim() {
  if (lock_file_.empty()) return;
  std::error_code ignored;
  fs::remove(lock_file_, ignored);  // Still locked: whoever waits opens a new one.
  if (made_folder_) fs::remove(lock_file_.parent_path(), ignored);  // Fails unless it is empty.
}

}  // namespace softcot
