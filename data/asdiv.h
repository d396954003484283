#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "data/formula.h"

namespace softcot {

/// One problem of an ASDiv file as it stands there, without white space at the ends.
struct AsdivProblem {
  std::string id;
  std::string text;     ///< Body and question.
  std::string type;     ///< "Addition", "Floor-Division" …
  std::string answer;   ///< "9 (apples)", "Monday", "45 (cm); 30 (cm)".
  std::string formula;  ///< "7+2=9", "64/7=9 r1", "LCM[28,24]=168", equations, tables …
  std::string where;    ///< "file:line"
};

/// Calls `visit` for each problem until it returns false.
/// @throws Error kInput: no such file, no XML, no ProblemSet with problems, a problem without one
/// of its parts; file and line are named.
void for_each_asdiv_problem(const std::filesystem::path& path,
                            const std::function<bool(const AsdivProblem&)>& visit);

/// The number with which an answer begins, if the rest is at most a unit in brackets.
std::optional<Rational> asdiv_number(const std::string& answer);

/// The left side of the problem's formula, if it is one that gives the problem's answer, a single
/// number, exactly.
std::optional<Formula> asdiv_formula(const AsdivProblem& problem);

}  // namespace softcot
