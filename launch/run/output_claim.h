#pragma once

#include <filesystem>
#include <optional>

#include "launch/run/file_lock.h"

namespace softcot {

/// Whether another process of this launcher's job writes this output too and was faster to ask:
/// then there is no work left for this one, and nothing to say. Known only where the launcher has a
/// folder for the job (mpirun, srun with PMIx), and for processes of one machine.
bool claimed_by_another_rank(const std::filesystem::path& output);

/// The turn of this process to write a folder that several may want to write at once: two calls by
/// hand, or all processes that a launcher has started with one command. Ends with this object.
/// Makers wait while another process writes the folder, and say for whom; they return nothing where
/// it is claimed by another rank. They throw as fail_write.
class OutputClaim {
 public:
  /// Of a folder whose files are replaced one by one. It is made where it is missing, and removed
  /// again if nothing was written into it.
  static std::optional<OutputClaim> in_folder(const std::filesystem::path& folder);
  /// Of a folder that appears whole; the one above it is made.
  static std::optional<OutputClaim> beside(const std::filesystem::path& folder);

  OutputClaim(OutputClaim&& other) noexcept;
  OutputClaim& operator=(OutputClaim&&) = delete;
  ~OutputClaim();

 private:
  OutputClaim(std::filesystem::path lock_file, bool made_folder);

  std::filesystem::path lock_file_;
  bool made_folder_;
  FileLock lock_;
};

}  // namespace softcot
