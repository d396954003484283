#include "launch/sweep/cell_problems.h"

#include <fmt/format.h>

#include <algorithm>

#include "launch/options/option_sources.h"

namespace softcot {

void CellProblems::add(std::string what, std::string where, std::string expected, std::string fix) {
  add({.what = std::move(what),
       .where = std::move(where),
       .expected = std::move(expected),
       .got = "",
       .fix = std::move(fix)});
}

void CellProblems::add_of_cell(const std::string& cell, Problem problem) {
  const auto same = [&](const Problem& known) {
    return known.what == problem.what && known.got == problem.got && known.fix == problem.fix;
  };
  if (std::any_of(all_.begin(), all_.end(), same)) return;
  const std::string option = problem.where.substr(0, problem.where.find(", "));
  problem.where = fmt::format("{}, cell {}: {}", file_, cell, option);
  add(std::move(problem));
}

void CellProblems::throw_any() const {
  if (!all_.empty()) throw OptionErrors(all_);
}

}  // namespace softcot
