#include "support/job.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <regex>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace softcot::test {
namespace {

std::string contents(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

void redirect(const std::string& path, int flags, int target) {
  const int descriptor = open(path.c_str(), flags, 0600);
  if (descriptor < 0 || dup2(descriptor, target) < 0) _exit(126);
  close(descriptor);
}

/// "NAME=value" of a running process; empty for one that is gone.
std::string environment_of(const std::filesystem::path& process) {
  return '\0' + contents(process / "environ");
}

bool has_variable(const std::string& environment, const std::string& name,
                  const std::string& value) {
  return environment.find('\0' + name + "=" + value + '\0') != std::string::npos;
}

/// Whether a process belongs to a session and has not ended: what has ended holds no lock any more.
bool lives_in_session(const std::filesystem::path& process, pid_t session) {
  const std::string text = contents(process / "stat");
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return false;
  std::istringstream fields(text.substr(name_end + 1));
  char state = 'X';
  pid_t parent = 0;
  pid_t group = 0;
  pid_t its_session = 0;
  fields >> state >> parent >> group >> its_session;
  return its_session == session && state != 'Z' && state != 'X';
}

/// SOFTCOT_TEST_PROGRAM, for tests that go on for hours, is a copy that no build replaces.
std::string built_program() {
  const char* copy = std::getenv("SOFTCOT_TEST_PROGRAM");
  return copy == nullptr ? SOFTCOT_PROGRAM : copy;
}

std::map<std::string, std::string> job_environment(const JobOptions& options,
                                                   const std::string& folder) {
  std::map<std::string, std::string> all = {{"OMPI_ALLOW_RUN_AS_ROOT", "1"},
                                            {"OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"},
                                            {"OMPI_MCA_rmaps_base_oversubscribe", "1"},
                                            {"OMPI_MCA_mpi_yield_when_idle", "1"},
                                            {"OMPI_MCA_btl_vader_single_copy_mechanism", "none"},
                                            // A killed job leaves nothing outside of its folder.
                                            {"OMPI_MCA_btl_vader_backing_directory", folder},
                                            {"TMPDIR", folder},
                                            {"OMP_NUM_THREADS", "1"}};
  for (const auto& [name, value] : options.environment) all[name] = value;
  return all;
}

}  // namespace

Job::Job(const std::vector<std::string>& arguments, const JobOptions& options) {
  std::vector<std::string> call;
  if (options.ranks > 0) {
    call = {SOFTCOT_MPIEXEC,
            "--oversubscribe",
            "--bind-to",
            "none",
            "-n",
            std::to_string(options.ranks)};
  }
  call.push_back(options.program.empty() ? built_program() : options.program);
  call.insert(call.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& argument : call) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const std::string out = folder_.path() / "out";
  const std::string err = folder_.path() / "err";
  const auto environment = job_environment(options, folder_.path());
  launcher_ = fork();
  if (launcher_ < 0) throw std::runtime_error("fork failed");
  if (launcher_ != 0) return;
  setsid();
  redirect("/dev/null", O_RDONLY, STDIN_FILENO);
  redirect(out, O_WRONLY | O_CREAT | O_APPEND, STDOUT_FILENO);
  redirect(err, O_WRONLY | O_CREAT | O_APPEND, STDERR_FILENO);
  for (const auto& [name, value] : environment) setenv(name.c_str(), value.c_str(), 1);
  if (options.file_size_limit) {
    signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{*options.file_size_limit, *options.file_size_limit};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  execv(argv[0], argv.data());
  _exit(127);
}

Job::~Job() { kill_all(); }

bool Job::running() {
  if (state_) return false;
  int state = 0;
  if (waitpid(launcher_, &state, WNOHANG) == launcher_) state_ = state;
  return !state_;
}

std::string Job::err() const { return contents(folder_.path() / "err"); }

std::vector<pid_t> Job::processes() const {
  std::vector<pid_t> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    if (lives_in_session(entry.path(), launcher_)) {
      found.push_back(static_cast<pid_t>(std::stol(name)));
    }
  }
  return found;
}

std::optional<pid_t> Job::rank(int number) const {
  for (const pid_t process : processes()) {
    const std::string environment = environment_of("/proc/" + std::to_string(process));
    if (has_variable(environment, "OMPI_COMM_WORLD_RANK", std::to_string(number))) return process;
  }
  return std::nullopt;
}

void Job::kill_all() {
  if (running()) kill(launcher_, SIGKILL);
  for (std::vector<pid_t> left = processes(); !left.empty(); left = processes()) {
    for (const pid_t process : left) kill(process, SIGKILL);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  if (state_) return;
  int state = 0;
  if (waitpid(launcher_, &state, 0) == launcher_) state_ = state;
}

ChildResult Job::wait(std::chrono::seconds limit) {
  if (!wait_until([this] { return !running(); }, limit)) {
    ADD_FAILURE() << "the job takes too long\n" << err();
    kill_all();
  }
  // mpirun may be gone a moment before the ranks that it has ended.
  if (!wait_until([this] { return processes().empty(); }, std::chrono::seconds(30))) {
    ADD_FAILURE() << processes().size() << " processes are left of the job";
    kill_all();
  }
  const int state = state_.value_or(0);
  return {.status = WIFEXITED(state) ? WEXITSTATUS(state) : 128 + WTERMSIG(state),
          .out = contents(folder_.path() / "out"),
          .err = err()};
}

ChildResult run_softcot(const std::vector<std::string>& arguments, const JobOptions& options) {
  Job job(arguments, options);
  return job.wait();
}

std::string expect_refused(const std::vector<std::string>& arguments, int code,
                           const std::vector<std::string>& parts, const JobOptions& options) {
  const ChildResult result = run_softcot(arguments, options);
  EXPECT_EQ(result.status, code) << result.err;
  EXPECT_EQ(result.out, "");
  const std::vector<std::string> errors = lines_with(result.err, "error[");
  EXPECT_EQ(errors.size(), 1U) << result.err;
  if (errors.empty()) return "";
  const bool several = options.ranks > 1;
  const std::string begin = "error[" + std::to_string(code) + "] ";
  std::smatch match;
  const std::regex spoken(several ? "rank [0-9]+: (error.*)" : "(error.*)");
  EXPECT_TRUE(std::regex_match(errors[0], match, spoken)) << errors[0];
  const std::string error = match.empty() ? errors[0] : match[1].str();
  EXPECT_EQ(error.rfind(begin, 0), 0U) << error;
  for (const std::string& part : parts) {
    EXPECT_NE(error.find(part), std::string::npos) << part << " is not in: " << error;
  }
  const std::regex log_line("[0-9]{2}:[0-9]{2}:[0-9]{2} [IW] .*");
  for (const std::string& line : lines_with(result.err, "")) {
    if (several) break;  // mpirun adds lines of its own.
    EXPECT_TRUE(line == errors[0] || std::regex_match(line, log_line)) << line;
  }
  return error;
}

bool wait_until(const std::function<bool()>& condition, std::chrono::seconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

std::vector<std::string> lines_with(const std::string& text, const std::string& part) {
  std::vector<std::string> found;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.find(part) != std::string::npos) found.push_back(line);
  }
  return found;
}

}  // namespace softcot::test
