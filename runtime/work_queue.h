#pragma once

#include <cstdint>
#include <memory>

#include "runtime/process_world.h"

namespace softcot {

/// Hands out the numbers 0, 1, 2 … once each over all ranks of the job: dynamic sharing of work
/// whose pieces differ in cost. Making and destroying it is collective over the world, unless an
/// exception destroys it: then the job ends, and nobody waits for the others. next() is not
/// collective, and does not wait for other ranks where they share memory; between nodes it may have
/// to wait until rank 0 calls MPI, as it does for its own next piece. Throws kResources where MPI
/// cannot share a counter.
class WorkQueue {
 public:
  explicit WorkQueue(const ProcessWorld& world);
  ~WorkQueue();
  WorkQueue(const WorkQueue&) = delete;
  WorkQueue& operator=(const WorkQueue&) = delete;

  std::int64_t next();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace softcot
