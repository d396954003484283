#include "evaluation/svg_gnuplot.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <string_view>
#include <vector>

namespace softcot {
namespace {

constexpr std::chrono::seconds kDeadline{20};

class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  ~Descriptor() { reset(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const { return number_; }
  void reset(int number = -1) {
    if (number_ >= 0) close(number_);
    number_ = number;
  }

 private:
  int number_;
};

// A file in memory that holds the script, so that neither side ever waits for the other to read.
bool fill(Descriptor& file, const std::string& script) {
  file.reset(memfd_create("gnuplot-script", MFD_CLOEXEC));
  if (file.number() < 0) return false;
  std::string_view rest = script;
  while (!rest.empty()) {
    const ssize_t written = write(file.number(), rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  return lseek(file.number(), 0, SEEK_SET) == 0;
}

// The environment with numbers written in the C locale.
std::vector<char*> child_environment() {
  static char locale[] = "LC_ALL=C";
  std::vector<char*> variables = {locale};
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    if (!text.starts_with("LC_ALL=") && !text.starts_with("GNU")) variables.push_back(*entry);
  }
  variables.push_back(nullptr);
  return variables;
}

// The process id, or -1.
pid_t spawn(const std::string& program, int in, int out) {
  posix_spawn_file_actions_t actions;
  if (posix_spawn_file_actions_init(&actions) != 0) return -1;
  posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  std::string name = program;
  std::string defaults = "-d";
  std::string standard_input = "-";
  const std::array arguments = {name.data(), defaults.data(), standard_input.data(),
                                static_cast<char*>(nullptr)};
  const std::vector<char*> environment = child_environment();
  pid_t child = -1;
  const int error = posix_spawnp(&child, program.c_str(), &actions, nullptr, arguments.data(),
                                 environment.data());
  posix_spawn_file_actions_destroy(&actions);
  return error == 0 ? child : -1;
}

// All that comes until the end; false when the deadline passed first.
bool read_all(int from, std::string& text) {
  const auto end = std::chrono::steady_clock::now() + kDeadline;
  std::array<char, 65536> buffer;
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        end - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    pollfd wait{.fd = from, .events = POLLIN, .revents = 0};
    const int ready = poll(&wait, 1, static_cast<int>(left.count()));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return false;
    const ssize_t got = read(from, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return got == 0;
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

}  // namespace

std::optional<std::string> run_gnuplot(const std::string& program, const std::string& script) {
  Descriptor input;
  if (!fill(input, script)) return std::nullopt;
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return std::nullopt;
  const Descriptor reader(ends[0]);
  Descriptor writer(ends[1]);
  const pid_t child = spawn(program, input.number(), writer.number());
  writer.reset();
  if (child < 0) return std::nullopt;
  std::string text;
  const bool whole = read_all(reader.number(), text);
  if (!whole) kill(child, SIGKILL);
  int status = 0;
  pid_t ended = 0;
  do {
    ended = waitpid(child, &status, 0);
  } while (ended < 0 && errno == EINTR);
  const bool good = whole && ended == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
  return good && !text.empty() ? std::optional(text) : std::nullopt;
}

}  // namespace softcot
