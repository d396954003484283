#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace softcot {

/// Habits of the paper's code that move results and that softcot does not share, a switch for each;
/// docs/compat.md says what each does. All off is `strict`; `reference` is those that the paper's
/// code has on a task.

/// How answers are drawn, read and counted.
struct ScoringQuirks {
  bool reference_extractor = false;  ///< The headline answer is that of the reference extractor.
  bool lost_sign = false;        ///< A number loses its minus sign before anything is done with it.
  bool none_votes_once = false;  ///< All samples without an answer together cast one vote.
  bool one_noise_stream = false;      ///< All questions draw the same random numbers.
  bool no_generation_prompt = false;  ///< The model has to open its turn by itself.
  bool rounded =
      false;  ///< A number with a decimal point is rounded to two places when it is read.

  bool operator==(const ScoringQuirks&) const = default;
};

/// What is trained.
struct TrainingQuirks {
  bool last_token_cut = false;        ///< The rendered chat lacks its last token.
  bool answer_line_is_step = false;   ///< The line "#### 18" (the answer) is one more step.
  bool calculator_kept = false;       ///< GSM8K's annotations <<9*2=18>> are kept.
  bool turn_opening_trained = false;  ///< Targets begin where the assistant's turn is opened.

  bool operator==(const TrainingQuirks&) const = default;
};

template <typename Quirks>
struct Quirk {
  const char* name;
  bool Quirks::*flag;
  std::vector<std::string_view> tasks;  ///< On which the paper's code has it; empty: on all.

  bool on(std::string_view task) const;
};

/// All there are, in the order of the struct. Defined for ScoringQuirks and TrainingQuirks, as what
/// follows.
template <typename Quirks>
const std::vector<Quirk<Quirks>>& all_quirks();

/// "strict", "reference" and the names of the quirks: what an option for them may list.
template <typename Quirks>
std::vector<std::string> quirk_choices();

/// The quirks that are named; "reference" names those of `task` (a value of data.task), "strict"
/// none. A quirk that is named itself is on whatever the task.
/// @throws Error kUsage for a name that is no choice.
template <typename Quirks>
Quirks quirks_of(const std::vector<std::string>& names, std::string_view task);

/// "strict", "reference", or the names of those that are on, joined by "+".
template <typename Quirks>
std::string quirks_name(const Quirks& quirks);

}  // namespace softcot
