#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "data/asdiv.h"
#include "data/asdiv_numbers.h"

namespace softcot {

struct AugmentOptions {
  std::uint64_t seed = 1;
  std::int64_t copies = 5;  ///< Of each problem; at least 1.
  double test_share = 0.2;  ///< Share of the problems whose copies are for testing, from 0 to 1.
};

/// A problem with other numbers.
struct AugmentedProblem {
  std::string id;  ///< The source's, "/" and the copy's number from 1.
  std::string question;
  std::vector<std::string> rationale;
  std::string answer;
  std::string formula;                       ///< "(45 - 39) / 2"
  DivisionPart part = DivisionPart::kExact;  ///< What the formula's last division gives.
};

/// Copies of one problem that were drawn again, by what was wrong with them.
struct RedrawCounts {
  std::int64_t negative = 0;    ///< A result had another sign, or was 0, where it had not been.
  std::int64_t fractional = 0;  ///< A result was fractional where it had been whole, or finer.
  std::int64_t undefined = 0;   ///< Division by 0 or without a rest, no whole root, overflow.
  std::int64_t order = 0;       ///< The numbers were not in the order of size of the original.
  std::int64_t one = 0;         ///< A result became 1.
  std::int64_t repeated = 0;    ///< Numbers of another copy, or the original.
};

/// All copies of one problem, which are all different from it and each other, or none with the
/// obstacle. A pure function of its arguments. Each number keeps its look: words stay words, places
/// after the point, round numbers round; its size is from half to twice (2 to 9 for those under 6).
/// The order of size among all numbers of the text stays as it is, and so does that of the
/// results and the numbers that do not change. Each intermediate result of the
/// formula keeps its sign, stays whole if it was, and does not become 1.
std::vector<AugmentedProblem> augment_problem(const AsdivProblem& problem,
                                              const AugmentOptions& options, RedrawCounts& redraws,
                                              AsdivObstacle& obstacle);

/// Whether the problem's copies are for testing: drawn by seed and by the text without its numbers,
/// so that problems that differ in numbers only are on the same side.
bool is_for_testing(const AsdivProblem& problem, const AugmentOptions& options);

/// What was made of a file.
struct AugmentReport {
  std::int64_t problems = 0;                   ///< In the source.
  std::int64_t used = 0;                       ///< That have their copies.
  std::array<std::int64_t, 5> obstacles = {};  ///< The others, by AsdivObstacle.
  std::int64_t train = 0;                      ///< Copies.
  std::int64_t test = 0;
  RedrawCounts redraws;
};

/// Reads an ASDiv file and writes `folder`/train.jsonl and test.jsonl, in the format of data.task
/// jsonl with two further fields, formula and part. Both appear whole or not at all.
/// @throws Error as for_each_asdiv_problem, AtomicFile; kInput for an id that comes twice.
AugmentReport augment_file(const std::filesystem::path& file, const std::filesystem::path& folder,
                           const AugmentOptions& options);

/// "exact", "quotient", "rest", "quotient_and_one".
std::string_view division_part_name(DivisionPart part);

}  // namespace softcot
