#include "runtime/heartbeat.h"

#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <new>

namespace softcot {

Heartbeat::Heartbeat(int descriptor, std::chrono::milliseconds interval) : owner_(getpid()) {
  // Signals are for the other threads: their handlers belong to the work.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_.emplace([this, descriptor, interval] { run(descriptor, interval); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Heartbeat::~Heartbeat() {
  if (getpid() != owner_) {
    new (&thread_) std::optional<std::thread>();  // The thread is the parent's, not ours to join.
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  wake_.notify_all();
  thread_->join();
}

void Heartbeat::run(int descriptor, std::chrono::milliseconds interval) {
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, interval, [this] { return ended_; })) futimens(descriptor, nullptr);
}

}  // namespace softcot
