#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace softcot {

/// The legal values of a number. NaN and infinity are never legal.
struct Range {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  bool excludes_low = false;

  bool holds(double value) const;
  /// "at least 1", "above 0 and at most 1", "from 0 to 1"; empty when everything is legal.
  std::string words() const;
};

Range any_number();
Range at_least(double low);
Range above(double low);
Range between(double low, double high);
Range above_up_to(double low, double high);

/// The names of an enumeration's values, in the order that help shows them.
template <typename Enum>
using Choices = std::vector<std::pair<std::string, Enum>>;

/// A variable of an option struct seen as text. The variable must outlive the binding.
struct Binding {
  /// Sets the variable; false and unchanged when the text is not legal.
  std::function<bool(const std::string&)> assign;
  /// The variable's present value, written so that `assign` reads it back exactly.
  std::function<std::string()> text;
  std::string kind =
      {};  ///< What help shows in the place of the value: "INTEGER", "linear|cosine".
  std::string legal = {};  ///< What an error says was expected: "an integer of at least 1".
  bool is_flag = false;
};

Binding bind(int* variable, Range range);
Binding bind(std::int64_t* variable, Range range);
Binding bind(std::uint64_t* variable, Range range);
Binding bind(double* variable, Range range);
/// on, true, yes, 1 · off, false, no, 0. Its bare name on the command line means on.
Binding bind(bool* variable);
Binding bind(std::string* variable);
Binding bind(std::filesystem::path* variable);
/// A list separated by commas, each item once; empty text is the empty list.
Binding bind(std::vector<std::string>* variable);
/// As above, of these names only.
Binding bind(std::vector<std::string>* variable, const std::vector<std::string>& names);
/// Each assignment adds one path; nothing can be taken away.
Binding bind_each(std::vector<std::filesystem::path>* variable);

/// A binding whose legal texts are `names`; `index` and `choose` map the variable to and from a
/// position in them.
Binding bind_names(std::vector<std::string> names, std::function<std::size_t()> index,
                   std::function<void(std::size_t)> choose);

template <typename Enum>
Binding bind(Enum* variable, const Choices<Enum>& choices) {
  std::vector<std::string> names;
  for (const auto& choice : choices) names.push_back(choice.first);
  const auto index = [variable, choices] {
    std::size_t i = 0;
    while (i < choices.size() && choices[i].second != *variable) ++i;
    return i;
  };
  const auto choose = [variable, choices](std::size_t i) { *variable = choices[i].second; };
  return bind_names(std::move(names), index, choose);
}

/// One option: `section.key`, or a plain name that only the command line knows.
struct Option {
  std::string name = {};
  std::string help = {};  ///< One sentence.
  Binding binding = {};
  std::string unit = {};            ///< "rows", "seconds"; empty for a plain number.
  bool required = false;            ///< The command cannot run while this is empty.
  bool used = true;                 ///< False: files may have it, the command does not look at it.
  std::string default_text = {};    ///< The struct's own value when the option was added.
  std::string other_defaults = {};  ///< ", 1e-4 for coconut": what set_default may make of it.
  bool given = false;               ///< By a config file, the environment or the command line.
  /// "default", "default of coconut", "FILE:LINE", "SOFTCOT_…", "command line".
  std::string origin = "default";

  /// "train" of "train.batch", empty for a plain name.
  std::string section() const;
  std::string key() const;
  /// "SOFTCOT_TRAIN_BATCH"; empty for a plain name.
  std::string environment_name() const;
};

/// A name as it is looked up: underscores are dashes.
std::string normal_name(std::string_view name);

}  // namespace softcot
