#include "support/child_process.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "support/fixtures.h"

namespace softcot::test {
namespace {

void redirect(const std::string& path, int flags, int target) {
  const int descriptor = open(path.c_str(), flags, 0600);
  if (descriptor < 0 || dup2(descriptor, target) < 0) _exit(126);
  close(descriptor);
}

std::string contents(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

}  // namespace

ChildResult run_child(const std::vector<std::string>& arguments, const std::string& input,
                      const std::map<std::string, std::string>& environment) {
  const TemporaryFolder folder;  // Files, not pipes: no amount of output can block either side.
  const std::string in = folder.path() / "in";
  const std::string out = folder.path() / "out";
  const std::string err = folder.path() / "err";
  std::ofstream(in, std::ios::binary) << input;
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("fork failed");
  if (child == 0) {
    redirect(in, O_RDONLY, STDIN_FILENO);
    redirect(out, O_WRONLY | O_CREAT, STDOUT_FILENO);
    redirect(err, O_WRONLY | O_CREAT, STDERR_FILENO);
    for (const auto& [name, value] : environment) setenv(name.c_str(), value.c_str(), 1);
    execvp(argv[0], argv.data());
    _exit(127);
  }
  int state = 0;
  waitpid(child, &state, 0);
  const int status = WIFEXITED(state) ? WEXITSTATUS(state) : 128 + WTERMSIG(state);
  return {.status = status, .out = contents(out), .err = contents(err)};
}

std::vector<std::string> under_mpirun(int ranks, std::vector<std::string> arguments) {
  std::vector<std::string> all = {"mpirun", "--oversubscribe",    "--bind-to", "none",
                                  "-n",     std::to_string(ranks)};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return all;
}

}  // namespace softcot::test
