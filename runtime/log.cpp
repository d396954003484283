#include "runtime/log.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <set>

#include "runtime/error.h"
#include "runtime/warn_once.h"

namespace softcot {
namespace {

std::atomic<int> log_rank{0};

/// Writes with SIGPIPE held back in this thread, and takes back the one that the write raised.
void write_without_signal(int descriptor, std::string_view bytes) {
  sigset_t pipe_only;
  sigset_t before;
  sigset_t pending;
  sigemptyset(&pipe_only);
  sigaddset(&pipe_only, SIGPIPE);
  sigpending(&pending);
  const bool pending_before = sigismember(&pending, SIGPIPE) == 1;
  pthread_sigmask(SIG_BLOCK, &pipe_only, &before);
  while (!bytes.empty()) {
    errno = 0;
    const ssize_t written = write(descriptor, bytes.data(), bytes.size());
    if (written > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR) {
      break;
    }
  }
  if (!pending_before) {
    const timespec now{0, 0};
    while (sigtimedwait(&pipe_only, nullptr, &now) == -1 && errno == EINTR) {
    }
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

class StandardErrorSink final : public spdlog::sinks::base_sink<std::mutex> {
 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    write_standard_error({line.data(), line.size()});  // one write: lines of ranks do not mix
  }
  void flush_() override {}
};

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kSilent:
      break;
  }
  return spdlog::level::off;
}

LogLevel level_from_environment() {
  const char* name = std::getenv("SOFTCOT_LOG");
  if (name == nullptr) return LogLevel::kInfo;
  try {
    return log_level_of_name(name);
  } catch (const Error&) {
    return LogLevel::kInfo;
  }
}

std::string pattern(std::string_view prefix) { return fmt::format("{}%H:%M:%S %L %v", prefix); }

spdlog::logger& logger() {
  // Never destroyed: destructors of other static objects may still log.
  static spdlog::logger* const instance = [] {
    auto* made = new spdlog::logger("softcot", std::make_shared<StandardErrorSink>());
    made->set_pattern(pattern(""));
    made->set_level(spdlog_level(level_from_environment()));
    made->set_error_handler([](const std::string&) {});
    return made;
  }();
  return *instance;
}

}  // namespace

void write_standard_error(std::string_view bytes) noexcept {
  const int kept = errno;
  write_without_signal(STDERR_FILENO, bytes);
  errno = kept;
}

void set_log_rank(int rank, int world) {
  log_rank = rank;
  const std::size_t width = std::to_string(world - 1).size();
  logger().set_pattern(pattern(world > 1 ? fmt::format("[{:>{}}] ", rank, width) : ""));
}

void set_log_level(LogLevel level) { logger().set_level(spdlog_level(level)); }

LogLevel log_level_of_name(std::string_view name) {
  if (name == "debug") return LogLevel::kDebug;
  if (name == "info") return LogLevel::kInfo;
  if (name == "warning") return LogLevel::kWarning;
  if (name == "silent") return LogLevel::kSilent;
  fail(ExitCode::kUsage, {.what = "unknown log level",
                          .expected = "debug, info, warning or silent",
                          .got = std::string(name)});
}

bool log_wants(LogLevel level) {
  return (level >= LogLevel::kWarning || log_rank == 0) && logger().should_log(spdlog_level(level));
}

void write_log_line(LogLevel level, std::string_view text) noexcept {
  try {
    logger().log(spdlog_level(level), spdlog::string_view_t(text.data(), text.size()));
  } catch (...) {  // a line of log is never worth the run
  }
}

void write_warning_once(const std::string& text) {
  static std::mutex mutex;
  static std::set<std::string> written;
  if (log_rank != 0 || !log_wants(LogLevel::kWarning)) return;
  const std::lock_guard lock(mutex);
  if (written.insert(text).second) write_log_line(LogLevel::kWarning, text);
}

void open_missing_standard_streams() noexcept {
  for (int descriptor = STDIN_FILENO; descriptor <= STDERR_FILENO; ++descriptor) {
    if (fcntl(descriptor, F_GETFD) == -1 && errno == EBADF) {
      // The lowest free number is given, which is this one: those below are open by now.
      const int opened = open("/dev/null", O_RDWR);
      static_cast<void>(opened);
    }
  }
}

}  // namespace softcot
