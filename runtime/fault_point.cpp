#include "runtime/fault_point.h"

#include <signal.h>

#include <atomic>
#include <charconv>
#include <cstdlib>
#include <mutex>

namespace softcot {
namespace {

struct CrashPoint {
  std::mutex mutex;
  std::string name;
  int times = 1;
};

std::atomic<bool> chosen{false};

CrashPoint& crash_point() {
  static CrashPoint point;
  return point;
}

const bool read_from_environment = [] {
  const char* text = std::getenv("SOFTCOT_CRASH_AT");
  if (text == nullptr || *text == '\0') return false;
  std::string name = text;
  int times = 1;
  if (const std::size_t mark = name.rfind('#'); mark != std::string::npos) {
    std::from_chars(name.data() + mark + 1, name.data() + name.size(), times);
    name.resize(mark);
  }
  set_crash_point(name, times);
  return true;
}();

}  // namespace

void fault_point(const char* name) noexcept {
  if (!chosen.load(std::memory_order_relaxed)) return;
  CrashPoint& point = crash_point();
  const std::lock_guard lock(point.mutex);
  if (point.name == name && --point.times <= 0) raise(SIGKILL);
}

void set_crash_point(const std::string& name, int times) {
  CrashPoint& point = crash_point();
  const std::lock_guard lock(point.mutex);
  point.name = name;
  point.times = times;
  chosen = !name.empty();
}

}  // namespace softcot
