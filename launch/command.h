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

  /// This process's rank as its launcher tells it, whether or not MPI was started; 0 when alone.
  int rank() const;
  /// Number of ranks likewise; 1 when alone.
  int size() const;
  /// Number of ranks on this machine likewise; as many as there are where it does not tell.
  int local_size() const;
  /// This process's number among them likewise; its rank where it does not tell.
  int local_rank() const;

 private:
  std::vector<std::string> arguments_;
  std::map<std::string, std::string> values_;
  std::unique_ptr<ProcessWorld> world_;
};

/// One entry of the program's table of contents.
struct Command {
  std::string_view name;
  std::string_view summary;  ///< One sentence.
  ExitCode (*run)(Invocation&);
};

/// `softcot COMMAND …`: finds the command, runs it and returns the exit status. Errors become one
/// line on standard error, written by one rank of the job; then the other ranks are ended too.
int run_program(int argc, char** argv, std::span<const Command> commands);

}  // namespace softcot
