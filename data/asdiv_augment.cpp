#include "data/asdiv_augment.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "data/asdiv_draw.h"
#include "data/asdiv_numbers.h"
#include "runtime/atomic_file.h"
#include "runtime/error.h"
#include "runtime/hash.h"

namespace softcot {
namespace {

constexpr int kMaxDraws = 20000;  // For one copy; the second half from the wider ranges.

/// What a stream is for, beside the problem: copies count from 1.
constexpr std::uint64_t kCutStream = 0;

void count(DrawFault fault, RedrawCounts& redraws) {
  switch (fault) {
    case DrawFault::kNone:
      return;
    case DrawFault::kNegative:
      ++redraws.negative;
      return;
    case DrawFault::kFractional:
      ++redraws.fractional;
      return;
    case DrawFault::kUndefined:
      ++redraws.undefined;
      return;
    case DrawFault::kOrder:
      ++redraws.order;
      return;
    case DrawFault::kOne:
      ++redraws.one;
      return;
  }
}

std::vector<Rational> values_of(const AsdivNumbers& numbers) {
  std::vector<Rational> values;
  for (const VariableNumber& variable : numbers.variables) values.push_back(variable.value);
  return values;
}

std::string question_with(const AsdivProblem& problem, const AsdivNumbers& numbers,
                          const std::vector<Rational>& drawn) {
  std::vector<NumberChange> changes;
  for (std::size_t i = 0; i < drawn.size(); ++i) {
    for (const std::size_t m : numbers.variables[i].mentions) {
      changes.push_back({numbers.mentions[m], drawn[i]});
    }
  }
  std::sort(changes.begin(), changes.end(), [](const NumberChange& a, const NumberChange& b) {
    return a.mention.begin < b.mention.begin;
  });
  return replace_numbers(problem.text, changes);
}

/// The values of one copy; nothing if they cannot be found.
std::optional<std::vector<Rational>> draw_values(const AsdivNumbers& numbers, RandomStream& random,
                                                 const std::set<std::vector<Rational>>& taken,
                                                 RedrawCounts& redraws) {
  const auto original = *numbers.formula.results(numbers.formula.numbers());
  for (const bool wide : {false, true}) {
    std::vector<NumberRange> ranges;
    for (const VariableNumber& variable : numbers.variables) {
      ranges.push_back(range_of(variable, numbers.mentions, wide));
    }
    for (int attempt = 0; attempt < kMaxDraws / 2; ++attempt) {
      std::vector<Rational> drawn;
      for (const NumberRange& range : ranges) drawn.push_back(range.draw(random));
      const DrawFault fault = judge_draw(numbers, drawn, original);
      count(fault, redraws);
      if (fault != DrawFault::kNone) continue;
      if (!taken.contains(drawn)) return drawn;
      ++redraws.repeated;
    }
  }
  return std::nullopt;
}

nlohmann::json to_json(const AugmentedProblem& copy) {
  return {{"id", copy.id},
          {"question", copy.question},
          {"rationale", copy.rationale},
          {"answer", copy.answer},
          {"type", "number"},
          {"formula", copy.formula},
          {"part", division_part_name(copy.part)}};
}

}  // namespace

std::string_view division_part_name(DivisionPart part) {
  switch (part) {
    case DivisionPart::kExact:
      return "exact";
    case DivisionPart::kQuotient:
      return "quotient";
    case DivisionPart::kRest:
      return "rest";
    case DivisionPart::kQuotientAndOne:
      return "quotient_and_one";
  }
  return "";
}

std::vector<AugmentedProblem> augment_problem(const AsdivProblem& problem,
                                              const AugmentOptions& options, RedrawCounts& redraws,
                                              AsdivObstacle& obstacle) {
  const auto numbers = link_numbers(problem, obstacle);
  if (!numbers) return {};
  std::set<std::vector<Rational>> taken = {values_of(*numbers)};
  std::vector<AugmentedProblem> copies;
  for (std::int64_t i = 1; i <= options.copies; ++i) {
    RandomStream random(options.seed, RandomPurpose::kAugmentation,
                        {hash_number(problem.id), static_cast<std::uint64_t>(i)});
    const auto drawn = draw_values(*numbers, random, taken, redraws);
    if (!drawn) {
      obstacle = AsdivObstacle::kTooFew;
      return {};
    }
    taken.insert(*drawn);
    const auto values = formula_numbers(*numbers, *drawn);
    copies.push_back({.id = fmt::format("{}/{}", problem.id, i),
                      .question = question_with(problem, *numbers, *drawn),
                      .rationale = *numbers->formula.steps(values),
                      .answer = numbers->formula.results(values)->back().text(),
                      .formula = numbers->formula.text(values),
                      .part = numbers->formula.part()});
  }
  return copies;
}

bool is_for_testing(const AsdivProblem& problem, const AugmentOptions& options) {
  std::string words;
  std::size_t at = 0;
  for (const NumberMention& mention : find_numbers(problem.text)) {
    words += problem.text.substr(at, mention.begin - at) + "#";
    at = mention.end;
  }
  words += problem.text.substr(at);
  RandomStream random(options.seed, RandomPurpose::kAugmentation, {hash_number(words), kCutStream});
  return random.uniform() < options.test_share;
}

AugmentReport augment_file(const std::filesystem::path& file, const std::filesystem::path& folder,
                           const AugmentOptions& options) {
  AugmentReport report;
  std::string train;
  std::string test;
  std::set<std::string> ids;
  for_each_asdiv_problem(file, [&](const AsdivProblem& problem) {
    if (!ids.insert(problem.id).second) {
      fail(ExitCode::kInput,
           {.what = "two records with one id", .where = problem.where, .got = problem.id});
    }
    ++report.problems;
    AsdivObstacle obstacle{};
    const auto copies = augment_problem(problem, options, report.redraws, obstacle);
    if (copies.empty()) {
      ++report.obstacles[static_cast<std::size_t>(obstacle)];
      return true;
    }
    ++report.used;
    const bool testing = is_for_testing(problem, options);
    (testing ? report.test : report.train) += static_cast<std::int64_t>(copies.size());
    for (const auto& copy : copies) (testing ? test : train) += to_json(copy).dump() + "\n";
    return true;
  });
  make_folder(folder);
  AtomicFile train_file(folder / "train.jsonl");
  AtomicFile test_file(folder / "test.jsonl");
  train_file.write(train);
  test_file.write(test);
  train_file.commit();
  test_file.commit();
  return report;
}

}  // namespace softcot
