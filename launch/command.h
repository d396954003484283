#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "launch/options/option_set.h"
#include "runtime/error.h"

namespace softcot {

class ProcessWorld;

/// One call of a command: its arguments and, once it asks, its place among the ranks of a job.
class Invocation {
 public:
  /// `arguments` are those after the command's name.
  explicit Invocation(std::vector<std::string> arguments);
  ~Invocation();
  Invocation(const Invocation&) = delete;
  Invocation& operator=(const Invocation&) = delete;

  /// Fills the options from all sources. False when the user asked for help, which is then printed:
  /// the command ends with kOk. Throws OptionErrors. Local.
  bool read(OptionSet& options);
  /// What read() found, by full option name.
  const std::map<std::string, std::string>& values() const { return values_; }

  /// Starts MPI when first called, if launched as a rank of an MPI job: collective over the job.
  /// Commands that work alone never call it.
  ProcessWorld& world();
  bool has_world() const { return world_ != nullptr; }

 private:
  std::vector<std::string> arguments_;
  std::map<std::string, std::string> values_;
  std::unique_ptr<ProcessWorld> world_;
};

/// What the processes are to each other that one launcher started with one command.
enum class Ranks {
  kTogether,  ///< Ranks of one job: one of them reports what fails all.
  kApart,     ///< Strangers: each does its own work and reports its own failure, whatever a
              ///< launcher has put into its environment (`mpirun -n 2 sh -c 'softcot …'`).
};

/// One entry of the program's table of contents.
struct Command {
  std::string_view name;
  Ranks ranks;
  std::string_view summary;  ///< One sentence.
  ExitCode (*run)(Invocation&);
};

/// `softcot COMMAND …`: finds the command, runs it and returns the exit status. Errors become one
/// line on standard error, written by one rank of a job of ranks that belong together; then the
/// other ranks are ended too.
int run_program(int argc, char** argv, std::span<const Command> commands);

}  // namespace softcot
