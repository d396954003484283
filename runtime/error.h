#pragma once

#include <stdexcept>
#include <string>

namespace softcot {

/// What the process exits with; scripts rely on these numbers, so they never change meaning.
enum class ExitCode : int {
  kOk = 0,
  kUsage = 2,       ///< Unknown or illegal option or configuration.
  kInput = 3,       ///< Model, tokenizer or dataset cannot be used.
  kCache = 4,       ///< Thought cache missing, stale or corrupt.
  kCheckpoint = 5,  ///< Checkpoint corrupt, or none usable.
  kResources = 6,   ///< Memory, disk, file handles.
  kNumerics = 7,    ///< NaN or infinity, or replicas that differ.
  kPeer = 8,        ///< A rank was lost or a collective timed out.
  kInternal = 70,   ///< A defect of softcot itself.
  kStopped = 75,    ///< Stopped on request with a checkpoint saved: run again to go on.
};

/// One failure in the words a user needs. Only `what` is required; empty parts are left out.
struct Problem {
  std::string what = {};      ///< What went wrong: "tensor is cut short".
  std::string where = {};     ///< File, line, key, tensor or option it was seen at.
  std::string expected = {};  ///< What would have been right.
  std::string got = {};       ///< What was there instead.
  std::string fix = {};       ///< What to do about it.
};

/// Carries a Problem and the exit code it ends the process with, up to `main`.
class Error : public std::runtime_error {
 public:
  Error(ExitCode code, Problem problem);

  ExitCode code() const { return code_; }
  const Problem& problem() const { return problem_; }

 private:
  ExitCode code_;
  Problem problem_;
};

/// "what: where (expected E, got G) — fix", on one line: control characters in any part are
/// escaped, and parts longer than 300 bytes are cut.
std::string describe(const Problem& problem);
/// The same after "error[3] ".
std::string format_error(ExitCode code, const Problem& problem);

[[noreturn]] void fail(ExitCode code, Problem problem);

}  // namespace softcot
