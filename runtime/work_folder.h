#pragma once

#include <filesystem>
#include <string_view>

namespace softcot {

/// A folder that appears under its name whole, or not at all: it is filled under a hidden name
/// beside that. Local; one thread.
class WorkFolder {
 public:
  /// Makes the folder `hidden`, and those above it; what a write that failed left there goes.
  /// Throws like AtomicFile.
  explicit WorkFolder(std::filesystem::path hidden);
  /// Removes whatever still has the hidden name.
  ~WorkFolder();
  WorkFolder(const WorkFolder&) = delete;
  WorkFolder& operator=(const WorkFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path file(std::string_view name) const { return path_ / name; }

  /// Gives the folder, every file of which must be synced, its name. What stood there goes; where
  /// the file system can exchange two folders, one of them has the name at every moment. Throws
  /// like AtomicFile.
  void publish(const std::filesystem::path& target) const;

 private:
  void remove() const noexcept;

  std::filesystem::path path_;
};

}  // namespace softcot
