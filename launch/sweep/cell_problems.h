#pragma once

#include <string>
#include <vector>

#include "runtime/error.h"

namespace softcot {

/// What is wrong with a file of cells, a suite or a sweep, gathered so that a user hears of all of
/// it at once. Local.
class CellProblems {
 public:
  /// `file` as messages name it.
  explicit CellProblems(std::string file) : file_(std::move(file)) {}

  void add(Problem problem) { all_.push_back(std::move(problem)); }
  void add(std::string what, std::string where, std::string expected = "", std::string fix = "");
  /// What a cell's settings are refused for. The same in many cells is told once, of the first.
  void add_of_cell(const std::string& cell, Problem problem);

  bool empty() const { return all_.empty(); }
  /// For what adds to it by itself.
  std::vector<Problem>& all() { return all_; }
  /// Throws OptionErrors with all of them, if there are any.
  void throw_any() const;

 private:
  std::string file_;
  std::vector<Problem> all_;
};

}  // namespace softcot
