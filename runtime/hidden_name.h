#pragma once

#include <filesystem>

namespace softcot {

// Whatever is to appear whole is made under a hidden name beside its own, and renamed:
// ".NAME.HOST-PROCESS-COUNT.tmp".

/// Such a name for `target`, of this process.
std::filesystem::path hidden_name(const std::filesystem::path& target, unsigned count = 0);

enum class HiddenWriter {
  kNone,   ///< Not a name of this kind.
  kSelf,   ///< This process.
  kAlive,  ///< Another that may still be at work.
  kGone,   ///< A dead process of this machine, or one elsewhere, silent for an hour.
};

HiddenWriter writer_of(const std::filesystem::path& path);

/// Removes from a folder what writers that are gone left there, files and whole folders. What
/// cannot be read or removed stays. Local; safe while others write.
void remove_abandoned(const std::filesystem::path& folder) noexcept;

}  // namespace softcot
