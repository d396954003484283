#pragma once

#include <memory>
#include <string>
#include <vector>

#include "launch/options/option_set.h"
#include "launch/sweep/work.h"
#include "runtime/error.h"

namespace softcot {

struct RunOptions;

/// The items of a list separated by commas, without outer white space; empty ones are left out.
/// Where the text has a semicolon, those separate, and a comma is part of an item.
std::vector<std::string> split_list(const std::string& text);

/// Adds all options that a cell may have, none of them required. What it returns holds their
/// variables and must outlive `options`.
std::shared_ptr<void> add_cell_options(OptionSet& options);

/// What was given to a command that makes cells: by --config, environment and command line.
Settings given_settings(OptionSet& options);

/// Takes the options' variables out of the environment, so that the steps read their cell's
/// settings and nothing else.
void hide_environment(const OptionSet& options);

/// What the commands would make of a cell's settings.
struct CheckedSettings {
  std::vector<Problem> problems;  ///< What they would refuse.
  /// Every option but those of `run` as they would have it; empty with problems.
  Settings values;
  std::shared_ptr<const RunOptions> run;  ///< The same as the commands read it; null with problems.
};

/// `trains`: whether there is something to train on. Held-out questions are always wanted. Reads
/// nothing but the settings. Local.
CheckedSettings check_cell_settings(const Settings& settings, bool trains);

}  // namespace softcot
