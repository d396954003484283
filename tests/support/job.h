#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "support/child_process.h"
#include "support/fixtures.h"

namespace softcot::test {

struct JobOptions {
  int ranks = 0;  ///< Under mpirun; 0 runs the program alone.
  std::map<std::string, std::string> environment;
  std::optional<std::uint64_t>
      file_size_limit;       ///< Bytes; writing past it fails as on a full disk.
  std::string program = {};  ///< In the place of softcot: a script that starts it.
};

inline JobOptions on_ranks(int count) {
  return {.ranks = count, .environment = {}, .file_size_limit = {}, .program = {}};
}

/// A `softcot` job that runs beside the test. Whatever is left of it ends with this object.
class Job {
 public:
  explicit Job(const std::vector<std::string>& arguments, const JobOptions& options = {});
  ~Job();
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;

  bool running();
  /// What it has written to standard error so far.
  std::string err() const;
  /// Of the process that was started: mpirun, or the program alone.
  pid_t launcher() const { return launcher_; }
  /// The process of one rank; nothing when it is not running (any more).
  std::optional<pid_t> rank(int number) const;

  /// SIGKILL to the launcher and to all ranks at once, as when the machine goes down.
  void kill_all();
  /// Waits for the end of all its processes; a job that takes longer than `limit` is killed and
  /// fails the test.
  ChildResult wait(std::chrono::seconds limit = std::chrono::seconds(240));

 private:
  std::vector<pid_t> processes() const;

  TemporaryFolder folder_;    // Standard streams, and what MPI keeps in files.
  pid_t launcher_ = -1;       // Its number is also that of the session of all processes.
  std::optional<int> state_;  // waitpid's, once it has ended.
};

/// Runs a job to its end.
ChildResult run_softcot(const std::vector<std::string>& arguments, const JobOptions& options = {});

/// Runs a job that must end with exit code `code` and one error line, alone but for log lines, that
/// holds all `parts`. Returns that line, without the rank that spoke.
std::string expect_refused(const std::vector<std::string>& arguments, int code,
                           const std::vector<std::string>& parts, const JobOptions& options = {});

/// Asks every millisecond until it is true; false when it is not within `limit`.
bool wait_until(const std::function<bool()>& condition,
                std::chrono::seconds limit = std::chrono::seconds(240));

/// The lines of `text` that hold `part`.
std::vector<std::string> lines_with(const std::string& text, const std::string& part);

}  // namespace softcot::test
