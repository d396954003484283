#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "launch/options/option_set.h"
#include "launch/sweep/work.h"

namespace softcot {

/// One line of a suite's table: a method, perhaps with settings of its own.
struct SuiteEntry {
  std::string method;
  std::string variant;  ///< "" or the name of a [variant.NAME] section.
  std::string title;

  /// "softcot" or "softcot:n4".
  std::string name() const { return variant.empty() ? method : method + ":" + variant; }
};

/// A figure of a paper for one entry and task, in per cent.
struct PublishedFigure {
  std::string entry;
  std::string task;
  double accuracy = 0;
  std::string trained_on = {};  ///< The task of the training; empty for entries that train nothing.
};

/// One run of the commands: an entry trained on a task under a seed, and evaluated. Entries that
/// train nothing have one cell a task, whatever the seeds.
struct SuiteCell {
  SuiteEntry entry;
  std::string task;
  std::uint64_t seed = 0;  ///< train.seed.
  /// All settings but for run.folder, by option name.
  std::map<std::string, std::string> settings;
  /// The settings under which it is also evaluated on other tasks, by task.
  std::map<std::string, std::map<std::string, std::string>> transfers;

  bool trained() const;
  /// Of its run folder: "softcot-n4-gsm8k-seed41", "zero_shot_cot-gsm8k".
  std::string folder() const;
  /// Of all that decides its results.
  std::string hash() const;
};

/// A suite file: docs/comparing.md has the format.
struct Suite {
  std::string title;
  std::string source;  ///< Where the published figures are from.
  std::vector<SuiteEntry> entries;
  std::vector<std::string> tasks;     ///< Trained on and evaluated on.
  std::vector<std::string> transfer;  ///< Evaluated on, by the runs of all tasks.
  std::string transfer_from = {};     ///< training_for a task that is tested on only; may be empty.
  std::vector<PublishedFigure> published;
  std::vector<SuiteCell> cells;  ///< In the order in which they are run.
  std::string hash;              ///< Of the file.

  /// `overrides` are settings that go over those of the file in every cell, by option name. Throws
  /// kUsage, every problem at once: an unreadable file, an unknown key, section, method (the
  /// nearest is named), task or variant, a published figure of no cell, a setting that the suite
  /// itself decides, and whatever the commands would refuse in a cell's settings. Local.
  static Suite read(const std::filesystem::path& file,
                    const std::map<std::string, std::string>& overrides = {});

  /// The task whose training is shown for `task` in the table of all methods on all tasks: the task
  /// itself; for one that is tested on only, transfer_from, or what its published figures were
  /// trained on, or the only task with a training. Empty where none of these says.
  std::string training_for(const std::string& task) const;

  /// All tasks that it evaluates on, each once.
  std::vector<std::string> all_tasks() const;
};

}  // namespace softcot
