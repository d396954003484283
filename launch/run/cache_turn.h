#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "data/cache_lock.h"
#include "runtime/communicator.h"

namespace softcot {

/// A folder that is filled once for all jobs that need it. All functions are called on rank 0 only.
struct SharedCache {
  std::string name;  ///< "train", for the log.
  std::filesystem::path folder;
  /// Whether nothing is left to do. Writes nothing, so that a finished cache may be read-only.
  std::function<bool()> is_complete;
  std::function<std::string()> progress;  ///< "3 of 5 blocks", while another job writes.
};

struct CacheTurn {
  bool complete = false;            ///< Nothing is left to do, and nothing was locked.
  std::unique_ptr<CacheLock> lock;  ///< Else the right to write, on rank 0; null on the others.
};

/// Waits until the cache is complete or this job may write into it. While another job writes, rank
/// 0 tells for whom it waits and how far that job is, at once and then every 30 s. There is no
/// limit: a job that was killed is noticed (CacheLock). Throws as CacheLock. Collective.
CacheTurn wait_for_turn(const SharedCache& cache, Communicator& world);

}  // namespace softcot
