#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "launch/options/run_options.h"
#include "launch/run/method.h"
#include "runtime/error.h"

namespace softcot {

/// A reason why cells cannot run.
struct CellProblem {
  ExitCode code = ExitCode::kUsage;  ///< What their command would exit with.
  Problem problem;
  std::string cell;  ///< The first that has it; empty for a problem of no cell.
};

/// Finds what the commands of a cell would refuse although its settings are legal one by one:
/// - a model folder without config, tokenizer or weights, or of an unknown kind;
/// - a prompt file or questions that cannot be read, or lack what the method needs;
/// - stages of Coconut or a warm-up that do not fit into the training;
/// - rows longer than data.max-length (tried with the longest questions);
/// - numbers of thoughts, layers and tensor-parallel ranks that the models do not have;
/// - full fine-tuning in bfloat16.
/// Weights are not read, memory and devices are not looked at. Models, prompts and questions are
/// read once for all cells. Local.
class CellChecker {
 public:
  /// `ranks`: of each step.
  explicit CellChecker(int ranks);
  ~CellChecker();
  CellChecker(const CellChecker&) = delete;
  CellChecker& operator=(const CellChecker&) = delete;

  /// A cell that evaluates `method` on held-out questions, and trains it first where `trains`.
  void check(const std::string& cell, const Method& method, bool trains, const RunOptions& run);

  /// All that was found, each reason once.
  const std::vector<CellProblem>& problems() const { return problems_; }
  /// The reasons of one cell, also those that it shares with cells before it.
  std::vector<CellProblem> problems_of(const std::string& cell) const;

 private:
  struct Inputs;
  struct Subject;

  void check_options(const Subject& subject);
  void check_thoughts(const Subject& subject);
  void check_training(const Subject& subject);
  void check_rows(const Subject& subject);
  void add(const std::string& cell, ExitCode code, Problem problem);

  int ranks_;
  std::unique_ptr<Inputs> inputs_;
  std::vector<CellProblem> problems_;
  std::map<std::string, std::size_t> known_;                  // Positions in problems_, by text.
  std::map<std::string, std::vector<std::size_t>> of_cells_;  // The same, by cell.
};

/// Throws OptionErrors with all of them, each with its cell, if there are any.
void throw_any(const std::vector<CellProblem>& problems);

}  // namespace softcot
