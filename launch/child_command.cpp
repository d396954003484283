#include "launch/child_command.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <thread>

#include "runtime/error.h"

namespace softcot {
namespace {

constexpr int kNotFound = 127;

void take_over(const char* path, int flags, int descriptor) {
  const int opened = open(path, flags, 0644);
  if (opened < 0 || dup2(opened, descriptor) < 0) _exit(static_cast<int>(ExitCode::kResources));
  close(opened);
}

/// In the new process; nothing here may allocate.
[[noreturn]] void become(const std::vector<char*>& arguments, const std::filesystem::path& log,
                         pid_t parent) {
  // A group of its own: what the terminal sends to the parent does not reach it. But when the
  // parent is killed it is asked to stop, or it would hold the run folder of the next call.
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) _exit(static_cast<int>(ExitCode::kStopped));
  signal(SIGPIPE, SIG_DFL);
  take_over("/dev/null", O_RDONLY, STDIN_FILENO);
  take_over(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, STDOUT_FILENO);
  if (dup2(STDOUT_FILENO, STDERR_FILENO) < 0) _exit(static_cast<int>(ExitCode::kResources));
  execvp(arguments[0], arguments.data());
  _exit(kNotFound);
}

}  // namespace

int run_command(const std::vector<std::string>& words, const std::filesystem::path& log,
                const std::function<bool()>& stop) {
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child == 0) become(arguments, log, parent);
  if (child < 0) {
    fail(ExitCode::kResources,
         {.what = "program cannot be started", .where = words[0], .got = std::strerror(errno)});
  }
  int state = 0;
  bool asked = false;
  while (waitpid(child, &state, WNOHANG) == 0) {
    if (stop() && !asked) {
      kill(child, SIGUSR1);
      asked = true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  if (WIFEXITED(state) && WEXITSTATUS(state) == kNotFound) {
    fail(ExitCode::kResources, {.what = "program cannot be started",
                                .where = words[0],
                                .fix = "is it installed? softcot doctor says what is missing"});
  }
  return WIFEXITED(state) ? WEXITSTATUS(state) : 128 + WTERMSIG(state);
}

std::filesystem::path own_program() { return std::filesystem::read_symlink("/proc/self/exe"); }

}  // namespace softcot
