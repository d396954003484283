#pragma once

#include <filesystem>

namespace softcot {

/// While this object lives, TERM, INT, HUP, USR1 and USR2 remove a file before they end the
/// process, as long as the open file is still the one of that name. Signals that the process
/// handles or ignores when the first such object is made stay as they are. At most
/// `kMostRemovedOnSignal` at a time; more are not removed. In a forked child it does nothing.
class RemovedOnSignal {
 public:
  RemovedOnSignal(int descriptor, const std::filesystem::path& path);
  ~RemovedOnSignal();
  RemovedOnSignal(const RemovedOnSignal&) = delete;
  RemovedOnSignal& operator=(const RemovedOnSignal&) = delete;

 private:
  int slot_ = -1;
};

inline constexpr int kMostRemovedOnSignal = 8;

}  // namespace softcot
