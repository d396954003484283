#pragma once

#include <filesystem>
#include <optional>

#include "launch/run/file_lock.h"
#include "launch/sweep/sweep.h"
#include "launch/sweep/sweep_plan.h"

namespace softcot {

/// The right to write into the folder of a sweep, for as long as this object lives. Those who share
/// one sweep hold it together; anybody else is refused.
class SweepFolder {
 public:
  /// Makes the folder and writes sweep.json and cells.csv of what is there. Sweep and plan must
  /// outlive it. Throws kUsage when the folder cannot be written, is another sweep's at this moment
  /// (its holder is named), or was made by another version. Local.
  SweepFolder(const Sweep& sweep, const SweepPlan& plan, const std::filesystem::path& out,
              bool shared);

  /// Writes sweep.json and cells.csv anew.
  void save() const;

 private:
  void require_version() const;
  bool is_same_sweep() const;
  void write() const;

  const Sweep& sweep_;
  const SweepPlan& plan_;
  std::filesystem::path out_;
  std::optional<FileLock> lock_;
};

}  // namespace softcot
