#include "fuzz/fuzz.h"

#include <sys/time.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "runtime/error.h"
#include "runtime/log.h"

namespace softcot::fuzz {
namespace {

/// Made at first use, removed at exit.
struct Folder {
  Folder() : path(std::filesystem::is_directory("/dev/shm") ? "/dev/shm" : "/tmp") {
    path /= "softcot-fuzz-" + std::to_string(getpid());
    std::filesystem::create_directories(path);
    set_log_level(LogLevel::kSilent);
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  std::filesystem::path path;
};

/// Of processor time, for a scope: on a busy machine the clock on the wall says nothing.
struct TimeLimit {
  TimeLimit() {
    std::signal(SIGVTALRM, [](int) { std::abort(); });
    set(10);
  }
  ~TimeLimit() { set(0); }
  static void set(time_t seconds) {
    const itimerval time{.it_interval = {0, 0}, .it_value = {seconds, 0}};
    setitimer(ITIMER_VIRTUAL, &time, nullptr);
  }
};

}  // namespace

bool accepts(const std::function<void()>& work) {
  const TimeLimit limit;
  try {
    work();
    return true;
  } catch (const Error& error) {
    require(error.code() >= ExitCode::kUsage && error.code() <= ExitCode::kCheckpoint,
            error.what());
    return false;
  }
}

void require(bool held, const char* promise) {
  if (held) return;
  std::fprintf(stderr, "broken promise: %s\n", promise);
  std::abort();
}

const std::filesystem::path& folder() {
  static const Folder made;
  return made.path;
}

std::filesystem::path write(const std::filesystem::path& name, std::string_view bytes) {
  std::filesystem::path path = folder() / name;
  std::ofstream file(path, std::ios::binary);
  file << bytes;
  require(file.flush().good(), "the file in memory could be written");
  return path;
}

std::string_view text(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

std::pair<std::string_view, std::string_view> halves(std::string_view input) {
  const std::size_t at = input.find('\0');
  if (at == std::string_view::npos) return {input, {}};
  return {input.substr(0, at), input.substr(at + 1)};
}

}  // namespace softcot::fuzz
