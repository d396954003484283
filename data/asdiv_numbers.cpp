#include "data/asdiv_numbers.h"

#include <algorithm>
#include <map>
#include <string>
#include <string_view>

#include "data/implied_numbers.h"

namespace softcot {
namespace {

bool holds(const std::vector<Rational>& list, const Rational& value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

/// Whether a number that the formula leaves out could follow from others of the text or they from
/// it: "He had 10 and gave 4 away, so he has 6 left. He buys 3 more."
/// So could "doubles the number and adds 3: 25 gives 53", by the implied 2.
bool is_tied(const std::vector<NumberMention>& mentions, const std::vector<Rational>& used,
             const std::vector<Rational>& implied) {
  const auto follows = [&](const Rational& whole, const Rational& a, const Rational& b) {
    return std::any_of(implied.begin(), implied.end(), [&](const Rational& factor) {
      const auto product = multiply(a, factor);
      return product && (add(*product, b) == whole || subtract(*product, b) == whole);
    });
  };
  const std::size_t count = mentions.size();
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t j = 0; j < count; ++j) {
      for (std::size_t k = j + 1; k < count; ++k) {
        if (i == j || i == k) continue;
        const Rational whole = mentions[i].value;
        const Rational a = mentions[j].value;
        const Rational b = mentions[k].value;
        const bool all_used = holds(used, whole) && holds(used, a) && holds(used, b);
        if (all_used) continue;
        const bool trivial = a.top() == 0 || b.top() == 0 || a == Rational(1) || b == Rational(1);
        if (follows(whole, a, b) || follows(whole, b, a)) return true;
        if (!trivial && multiply(a, b) == whole) return true;
      }
    }
  }
  return false;
}

/// Whether the formula is right for the numbers of the text only: where all play or meet "every
/// other", and where a worm climbs up and slides back, so that a rest decides what is done with it.
bool hides_its_plot(const AsdivProblem& problem, const Formula& formula) {
  const std::string& text = problem.text;
  const bool pairs =
      text.find("every other") != std::string::npos || text.find("each other") != std::string::npos;
  const bool rest = formula.part() != DivisionPart::kExact;
  return pairs || (rest && problem.formula.find("/(") != std::string::npos);
}

/// The divisor of a mean, which is how many numbers are added: "(3+5+7)/3".
std::optional<Rational> mean_divisor(const AsdivProblem& problem, const Formula& formula) {
  const std::string left = problem.formula.substr(0, problem.formula.find('='));
  const auto count = [&](char sign) { return std::count(left.begin(), left.end(), sign); };
  const auto numbers = static_cast<std::int64_t>(formula.numbers().size());
  const bool sum_divided = count('+') == numbers - 2 && count('/') == 1 && numbers > 2;
  if (!sum_divided || formula.numbers().back() != Rational(numbers - 1)) return std::nullopt;
  return formula.numbers().back();
}

/// Results of the formula, also a quotient or rest that is not the answer.
std::vector<Rational> all_results(const AsdivProblem& problem, const Formula& formula) {
  std::vector<Rational> results = *formula.results(formula.numbers());
  for (const NumberMention& number : find_numbers(
           problem.formula.substr(std::min(problem.formula.find('='), problem.formula.size())))) {
    results.push_back(number.value);
  }
  const std::size_t rest = problem.formula.rfind(" r");
  if (rest != std::string::npos) {
    if (const auto value = Rational::parse(std::string_view(problem.formula).substr(rest + 2))) {
      results.push_back(*value);
    }
  }
  return results;
}

/// Where a value stands in text and formula.
struct Uses {
  std::vector<std::size_t> mentions;
  std::vector<std::size_t> places;
  bool fixed = false;
};

}  // namespace

std::optional<AsdivNumbers> link_numbers(const AsdivProblem& problem, AsdivObstacle& obstacle) {
  const auto refuse = [&](AsdivObstacle reason) {
    obstacle = reason;
    return std::optional<AsdivNumbers>();
  };
  // What the formula gives hangs on a pattern that the text goes on with.
  const bool pattern = problem.type == "Number-Pattern" || problem.type == "Sequential-Operation";
  auto formula = asdiv_formula(problem);
  if (!formula || pattern) return refuse(AsdivObstacle::kFormula);

  if (hides_its_plot(problem, *formula)) return refuse(AsdivObstacle::kTied);

  AsdivNumbers numbers{*formula, find_numbers(problem.text), {}};
  std::vector<Rational> implied = implied_numbers(problem.text);
  if (const auto divisor = mean_divisor(problem, *formula)) implied.push_back(*divisor);
  const std::vector<Rational> results = all_results(problem, *formula);
  std::map<Rational, Uses> by_value;
  for (std::size_t i = 0; i < numbers.mentions.size(); ++i) {
    Uses& uses = by_value[numbers.mentions[i].value];
    uses.mentions.push_back(i);
    uses.fixed = uses.fixed || numbers.mentions[i].fixed;
  }
  for (std::size_t i = 0; i < formula->numbers().size(); ++i) {
    by_value[formula->numbers()[i]].places.push_back(i);
  }
  bool any_unused = false;
  for (const auto& [value, uses] : by_value) {
    if (uses.mentions.empty() && !holds(implied, value)) {
      return refuse(AsdivObstacle::kUnexplained);
    }
    any_unused = any_unused || uses.places.empty();
    if (uses.places.empty() && holds(results, value)) return refuse(AsdivObstacle::kTied);
    const bool named = !uses.places.empty() && uses.mentions.size() >= uses.places.size();
    if (named && !uses.fixed && !holds(implied, value) && value.top() != 0) {
      numbers.variables.push_back({value, uses.mentions, uses.places});
    }
  }
  if (any_unused && is_tied(numbers.mentions, formula->numbers(), implied)) {
    return refuse(AsdivObstacle::kTied);
  }
  if (numbers.variables.empty()) return refuse(AsdivObstacle::kNoVariable);
  return numbers;
}

}  // namespace softcot
