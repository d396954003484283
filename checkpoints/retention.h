#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

namespace softcot {

/// Which complete checkpoints stay.
struct RetentionPolicy {
  std::size_t keep_last = 3;     ///< The newest so many; at least one is always kept.
  std::uint64_t keep_every = 0;  ///< Also those whose step is a multiple of this; 0 for none.
  std::vector<std::uint64_t> keep_steps = {};  ///< Also these.
};

struct RetentionReport {
  std::vector<std::uint64_t> removed;  ///< Steps.
  std::size_t leftovers = 0;           ///< Half-written folders removed.
  std::size_t failed = 0;              ///< Deletions that did not work; each was warned about.
};

/// Removes what the policy does not keep. A checkpoint is first given a hidden name and then
/// deleted, so that none is ever seen in part. Nothing that fails here fails the run. Local, for
/// the rank that writes, while it is not writing.
RetentionReport apply_retention(const std::filesystem::path& folder,
                                const RetentionPolicy& policy) noexcept;

/// Removes what writers that died left in the folder: their hidden work folders, and checkpoints
/// without a DONE mark. For the start of a run. Fails nothing either.
RetentionReport remove_leftovers(const std::filesystem::path& folder) noexcept;

}  // namespace softcot
