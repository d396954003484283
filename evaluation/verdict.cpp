#include "evaluation/verdict.h"

#include <fmt/format.h>

#include <algorithm>

#include "evaluation/figure_text.h"
#include "runtime/counted.h"

namespace softcot {
namespace {

enum class Direction { kLower, kHigher, kUnknown };

const Estimate& change_of(const VerdictLine& line) { return line.own->contrast->nll->relative; }

/// Whether every training alone moves the NLL as all together do.
bool trainings_agree(const VerdictLine& line) {
  const double baseline = line.baseline->nll_per_token->value;
  const bool lower = change_of(line).value < 0;
  return std::all_of(line.own->training_nll.begin(), line.own->training_nll.end(),
                     [&](double nll) { return (nll < baseline) == lower; });
}

Direction direction_of(const VerdictLine& line) {
  const auto& interval = line.own->contrast->nll_of_all;
  if (!interval || !trainings_agree(line)) return Direction::kUnknown;
  if (interval->high < 0) return Direction::kLower;
  return interval->low > 0 ? Direction::kHigher : Direction::kUnknown;
}

/// "−8.1 %, 95 % interval −9.8 to −6.5 %; 40 questions, one training".
std::string figures_of(const VerdictLine& line) {
  const Contrast& contrast = *line.own->contrast;
  const int digits = change_digits(contrast.nll_of_all.value_or(change_of(line).interval));
  std::string text = signed_text(100 * change_of(line).value, digits) + " %";
  if (contrast.nll_of_all) {
    text += fmt::format(", 95 % interval {} to {} %",
                        signed_text(100 * contrast.nll_of_all->low, digits),
                        signed_text(100 * contrast.nll_of_all->high, digits));
    if (contrast.lines > 1) text += fmt::format(" over all {} lines together", contrast.lines);
  }
  text += "; " + counted(contrast.questions, "question");
  const std::size_t trainings = line.own->training_nll.size();
  if (trainings > 0) {
    text += trainings == 1 ? ", one training" : fmt::format(", {} trainings", trainings);
  }
  return text + (trainings_agree(line) ? "" : ", which do not all point the same way");
}

std::string cut_off(const MethodResult& result) {
  return percent(static_cast<double>(result.truncated) / static_cast<double>(result.samples));
}

/// What belongs beside an NLL.
std::string beside(const VerdictLine& line) {
  const MethodResult& own = *line.own;
  const MethodResult& other = *line.baseline;
  return fmt::format(
      "accuracy {} % against {} %, {:.1f} new tokens per answer against {:.1f}, {} % of the "
      "answers "
      "cut off against {} %",
      accuracy_text(own), accuracy_text(other), own.mean_new_tokens, other.mean_new_tokens,
      cut_off(own), cut_off(other));
}

constexpr const char* kNll = "held-out NLL per token of the reference rationale and answer";

/// "SoftCoT lowers the held-out NLL … from 1.2 to 1.1 nats (…) against Zero-shot CoT; accuracy …".
std::string told_apart(const VerdictLine& line, const std::string& before,
                       const std::string& most) {
  const bool lowers = change_of(line).value < 0;
  return fmt::format("{}{} {} the {}{} from {:.4f} to {:.4f} nats ({}) against {}; {}.", before,
                     line.label, lowers ? "lowers" : "raises", kNll, most,
                     line.baseline->nll_per_token->value, line.own->nll_per_token->value,
                     figures_of(line), line.baseline->title, beside(line));
}

}  // namespace

std::string verdict_sentence(const VerdictLine& line) {
  if (!line.own->contrast->nll) {
    return fmt::format(
        "{} and {} share no question with a likelihood of the reference rationale and answer: "
        "nothing can be said.",
        line.label, line.baseline->title);
  }
  if (direction_of(line) != Direction::kUnknown) return told_apart(line, "", "");
  return fmt::format("{} cannot be told apart from {} by the {} ({}); {}.", line.label,
                     line.baseline->title, kNll, figures_of(line), beside(line));
}

std::string best_line_sentence(std::span<const VerdictLine> lines) {
  const VerdictLine* lowest = nullptr;
  const VerdictLine* best = nullptr;
  const auto take_lower = [](const VerdictLine*& place, const VerdictLine& line) {
    if (place == nullptr || change_of(line).value < change_of(*place).value) place = &line;
  };
  for (const VerdictLine& line : lines) {
    if (!line.own->contrast->nll) continue;
    take_lower(lowest, line);
    if (direction_of(line) == Direction::kLower) take_lower(best, line);
  }
  if (lowest == nullptr) return "";
  const std::size_t compared = lowest->own->contrast->lines;
  if (compared == 1) return verdict_sentence(*lowest);
  if (best != nullptr) return told_apart(*best, fmt::format("Of {} lines ", compared), " most,");
  return fmt::format(
      "None of {} lines lowers the {} by more than chance explains; {} comes nearest ({}) against "
      "{}; {}.",
      compared, kNll, lowest->label, figures_of(*lowest), lowest->baseline->title, beside(*lowest));
}

std::vector<VerdictLine> verdict_lines(const Comparison& comparison) {
  std::vector<VerdictLine> lines;
  for (const MethodResult& row : comparison.rows) {
    const MethodResult* baseline = row_of(comparison, row.baseline);
    if (row.contrast && baseline != nullptr) lines.push_back({row.title, &row, baseline});
  }
  return lines;
}

}  // namespace softcot
