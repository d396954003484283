// A clock that was set back, put before the C library with LD_PRELOAD: after
// SOFTCOT_TEST_CLOCK_CALLS questions (100 by default) the time of day is an hour earlier. The
// steady clock is left alone.
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>

namespace {

constexpr time_t kBack = 3600;

time_t set_back() {
  static std::atomic<long> asked{0};
  static const long after = [] {
    const char* text = std::getenv("SOFTCOT_TEST_CLOCK_CALLS");
    return text == nullptr ? 100L : std::atol(text);
  }();
  return ++asked > after ? kBack : 0;
}

}  // namespace

extern "C" {

int clock_gettime(clockid_t clock, timespec* now) {
  const long result = syscall(SYS_clock_gettime, clock, now);
  if (clock == CLOCK_REALTIME) now->tv_sec -= set_back();
  return static_cast<int>(result);
}

int gettimeofday(timeval* now, void*) {
  timespec exact{};
  clock_gettime(CLOCK_REALTIME, &exact);
  *now = {exact.tv_sec, exact.tv_nsec / 1000};
  return 0;
}

time_t time(time_t* where) {
  timespec exact{};
  clock_gettime(CLOCK_REALTIME, &exact);
  if (where != nullptr) *where = exact.tv_sec;
  return exact.tv_sec;
}

}  // extern "C"
