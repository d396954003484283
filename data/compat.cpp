#include "data/compat.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "runtime/error.h"

namespace softcot {

template <>
const std::vector<Quirk<ScoringQuirks>>& all_quirks() {
  static const std::vector<Quirk<ScoringQuirks>> all = {
      {"reference_extractor", &ScoringQuirks::reference_extractor, {}},
      {"lost_sign", &ScoringQuirks::lost_sign, {}},
      {"none_votes_once", &ScoringQuirks::none_votes_once, {}},
      {"one_noise_stream", &ScoringQuirks::one_noise_stream, {}},
      {"no_generation_prompt", &ScoringQuirks::no_generation_prompt, {}},
      {"rounded", &ScoringQuirks::rounded, {}},
  };
  return all;
}

template <>
const std::vector<Quirk<TrainingQuirks>>& all_quirks() {
  static const std::vector<Quirk<TrainingQuirks>> all = {
      {"last_token_cut", &TrainingQuirks::last_token_cut, {"gsm8k", "asdiv_aug"}},
      {"answer_line_is_step", &TrainingQuirks::answer_line_is_step, {"gsm8k", "asdiv_aug", "aqua"}},
      {"calculator_kept", &TrainingQuirks::calculator_kept, {"gsm8k", "asdiv_aug"}},
      {"turn_opening_trained", &TrainingQuirks::turn_opening_trained, {}},
  };
  return all;
}

template <typename Quirks>
bool Quirk<Quirks>::on(std::string_view task) const {
  return tasks.empty() || std::find(tasks.begin(), tasks.end(), task) != tasks.end();
}

template <typename Quirks>
std::vector<std::string> quirk_choices() {
  std::vector<std::string> names = {"strict", "reference"};
  for (const auto& quirk : all_quirks<Quirks>()) names.emplace_back(quirk.name);
  return names;
}

template <typename Quirks>
Quirks quirks_of(const std::vector<std::string>& names, std::string_view task) {
  Quirks quirks;
  for (const std::string& name : names) {
    bool known = name == "strict" || name == "reference";
    for (const auto& quirk : all_quirks<Quirks>()) {
      if (name != quirk.name && !(name == "reference" && quirk.on(task))) continue;
      quirks.*quirk.flag = true;
      known = true;
    }
    if (!known) {
      fail(ExitCode::kUsage,
           {.what = "unknown quirk",
            .where = name,
            .expected = fmt::format("{}", fmt::join(quirk_choices<Quirks>(), ", "))});
    }
  }
  return quirks;
}

template <typename Quirks>
std::string quirks_name(const Quirks& quirks) {
  std::vector<std::string> on;
  for (const auto& quirk : all_quirks<Quirks>()) {
    if (quirks.*quirk.flag) on.emplace_back(quirk.name);
  }
  if (on.empty()) return "strict";
  if (on.size() == all_quirks<Quirks>().size()) return "reference";
  return fmt::format("{}", fmt::join(on, "+"));
}

template std::vector<std::string> quirk_choices<ScoringQuirks>();
template std::vector<std::string> quirk_choices<TrainingQuirks>();
template ScoringQuirks quirks_of(const std::vector<std::string>& names, std::string_view task);
template TrainingQuirks quirks_of(const std::vector<std::string>& names, std::string_view task);
template std::string quirks_name(const ScoringQuirks& quirks);
template std::string quirks_name(const TrainingQuirks& quirks);

}  // namespace softcot
