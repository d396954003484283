#include "data/asdiv.h"

#include <fmt/format.h>

#include <algorithm>
#include <pugixml.hpp>
#include <string_view>

#include "data/benchmark_lines.h"
#include "data/tokenizer_text.h"
#include "runtime/atomic_file.h"
#include "runtime/error.h"

namespace softcot {
namespace {

/// An XML file and the lines of its parts.
class AsdivFile {
 public:
  explicit AsdivFile(const std::filesystem::path& path) : path_(path.string()) {
    constexpr std::uint64_t kMaxBytes = std::uint64_t{64} << 20;
    text_ = read_file(path, kMaxBytes);
    if (const std::size_t bad = find_invalid_utf8(text_); bad != std::string::npos) {
      refuse("dataset file is not valid UTF-8", bad, "", "");
    }
    const pugi::xml_parse_result result = document_.load_buffer(text_.data(), text_.size());
    if (!result) {
      refuse("dataset file is not the XML of ASDiv", static_cast<std::size_t>(result.offset),
             "<Machine-Reading-Corpus-File>", result.description());
    }
  }

  pugi::xml_node problems() const {
    const auto set = document_.child("Machine-Reading-Corpus-File").child("ProblemSet");
    if (!set.child("Problem")) {
      refuse("dataset file is not the XML of ASDiv", 0,
             "<Machine-Reading-Corpus-File> with a <ProblemSet> of problems", "");
    }
    return set;
  }

  std::string where(std::size_t offset) const {
    const auto end = text_.begin() + static_cast<std::ptrdiff_t>(std::min(offset, text_.size()));
    return fmt::format("{}:{}", path_, 1 + std::count(text_.begin(), end, '\n'));
  }

  [[noreturn]] void refuse(std::string what, std::size_t offset, std::string expected,
                           std::string got) const {
    fail(ExitCode::kInput, {.what = std::move(what),
                            .where = where(offset),
                            .expected = std::move(expected),
                            .got = std::move(got),
                            .fix = "give the XML file of ASDiv 1.0; check that data.task names the "
                                   "benchmark of this file"});
  }

 private:
  std::string path_;
  std::string text_;
  pugi::xml_document document_;
};

std::string part(const AsdivFile& file, pugi::xml_node problem, const char* name) {
  std::string text = trimmed(problem.child(name).text().get());
  if (text.empty()) {
    file.refuse("problem without one of its parts",
                static_cast<std::size_t>(problem.offset_debug()), fmt::format("<{}>", name), "");
  }
  return text;
}

/// What stands to the right of the formula's one "=": "9" or "9 r1".
struct RightSide {
  Rational number;
  std::optional<Rational> rest;
};

std::optional<RightSide> right_side(std::string_view text) {
  const std::size_t mark = text.find('r');
  const auto number = Rational::parse(trimmed(text.substr(0, mark)));
  if (!number) return std::nullopt;
  if (mark == std::string_view::npos) return RightSide{*number, std::nullopt};
  const auto rest = Rational::parse(trimmed(text.substr(mark + 1)));
  return rest ? std::optional(RightSide{*number, rest}) : std::nullopt;
}

DivisionPart part_of(const std::string& type) {
  if (type == "Surplus") return DivisionPart::kRest;
  return type == "Ceil-Division" ? DivisionPart::kQuotientAndOne : DivisionPart::kQuotient;
}

}  // namespace

void for_each_asdiv_problem(const std::filesystem::path& path,
                            const std::function<bool(const AsdivProblem&)>& visit) {
  const AsdivFile file(path);
  for (const pugi::xml_node node : file.problems().children("Problem")) {
    const auto offset = static_cast<std::size_t>(node.offset_debug());
    AsdivProblem problem{.id = trimmed(node.attribute("ID").as_string()),
                         .text = part(file, node, "Body") + " " + part(file, node, "Question"),
                         .type = part(file, node, "Solution-Type"),
                         .answer = part(file, node, "Answer"),
                         .formula = part(file, node, "Formula"),
                         .where = file.where(offset)};
    if (problem.id.empty()) file.refuse("problem without an ID", offset, "ID=\"…\"", "");
    if (!visit(problem)) return;
  }
}

std::optional<Rational> asdiv_number(const std::string& answer) {
  const std::size_t end = std::min(answer.find_first_not_of("0123456789."), answer.size());
  const std::string unit = trimmed(std::string_view(answer).substr(end));
  const bool is_unit = unit.empty() || (unit.find('(') == 0 && unit.find(')') == unit.size() - 1);
  return is_unit ? Rational::parse(std::string_view(answer).substr(0, end)) : std::nullopt;
}

std::optional<Formula> asdiv_formula(const AsdivProblem& problem) {
  const auto answer = asdiv_number(problem.answer);
  const std::size_t equals = problem.formula.find('=');
  if (!answer || equals == std::string::npos) return std::nullopt;
  const auto right = right_side(std::string_view(problem.formula).substr(equals + 1));
  if (!right) return std::nullopt;
  const DivisionPart part = right->rest ? part_of(problem.type) : DivisionPart::kExact;
  auto formula = Formula::parse(std::string_view(problem.formula).substr(0, equals), part);
  if (!formula) return std::nullopt;
  const auto results = formula->results(formula->numbers());
  if (!results || results->back() != *answer) return std::nullopt;
  return formula;
}

}  // namespace softcot
