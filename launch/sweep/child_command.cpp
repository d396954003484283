#include "launch/sweep/child_command.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

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
[[noreturn]] void become(const std::vector<char*>& arguments, const std::vector<char*>& environment,
                         const std::filesystem::path& log, int keep, pid_t parent) {
  // A group of its own: what the terminal sends to the parent does not reach it. But when the
  // parent is killed it is asked to stop, or it would hold the run folder of the next call.
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) _exit(static_cast<int>(ExitCode::kStopped));
  signal(SIGPIPE, SIG_DFL);
  if (keep >= 0) fcntl(keep, F_SETFD, 0);
  take_over("/dev/null", O_RDONLY, STDIN_FILENO);
  take_over(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, STDOUT_FILENO);
  if (dup2(STDOUT_FILENO, STDERR_FILENO) < 0) _exit(static_cast<int>(ExitCode::kResources));
  execvpe(arguments[0], arguments.data(), environment.data());
  _exit(kNotFound);
}

/// As exec takes them. The words must outlive it.
std::vector<char*> pointers_to(const std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (const std::string& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

/// "NAME=value" of this process's environment, with `over` overriding it.
std::vector<std::string> environment_with(const std::map<std::string, std::string>& over) {
  std::vector<std::string> entries;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    if (!over.contains(text.substr(0, text.find('=')))) entries.push_back(text);
  }
  for (const auto& [name, value] : over) entries.push_back(name + "=" + value);
  return entries;
}

}  // namespace

ChildCommand::ChildCommand(const std::vector<std::string>& words, const std::filesystem::path& log,
                           const std::map<std::string, std::string>& environment, int keep)
    : program_(words.at(0)) {
  const std::vector<std::string> entries = environment_with(environment);
  const std::vector<char*> arguments = pointers_to(words);
  const std::vector<char*> variables = pointers_to(entries);
  const pid_t parent = getpid();
  process_ = fork();
  if (process_ == 0) become(arguments, variables, log, keep, parent);
  if (process_ < 0) {
    fail(ExitCode::kResources,
         {.what = "program cannot be started", .where = program_, .got = std::strerror(errno)});
  }
}

std::optional<int> ChildCommand::status() {
  int state = 0;
  if (!status_ && waitpid(process_, &state, WNOHANG) == process_) {
    status_ = WIFEXITED(state) ? WEXITSTATUS(state) : 128 + WTERMSIG(state);
  }
  if (status_ == kNotFound) {
    fail(ExitCode::kResources, {.what = "program cannot be started",
                                .where = program_,
                                .fix = "is it installed? softcot doctor says what is missing"});
  }
  return status_;
}

void ChildCommand::ask_to_stop() {
  if (!asked_ && !status_) kill(process_, SIGUSR1);
  asked_ = true;
}

std::filesystem::path own_program() { return std::filesystem::read_symlink("/proc/self/exe"); }

}  // namespace softcot
