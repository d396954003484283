#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "evaluation/report_run.h"
#include "evaluation/result_table.h"
#include "evaluation/work_log.h"
#include "runtime/settings.h"

namespace softcot {

/// Empty where there is no such setting.
std::string value_of(const Settings& settings, const std::string& name);

/// One folder with results.
struct StudyRun {
  std::string name;  ///< As the page calls it.
  std::vector<RunStep> steps;
  std::vector<WorkRecord> work;
  Provenance provenance;
  std::vector<std::pair<std::string, std::string>> configs;  ///< File name and text.
  std::string doubt;  ///< Why its results may not be those of its settings; empty if they are.
};

/// One method of one run.
struct StudyCell {
  std::size_t run = 0;     ///< Of Study::runs.
  std::string method;      ///< "softcot"
  std::string trained_on;  ///< A task; empty for a method that trains nothing.
  /// What decides its results, seeds left out. "thoughts.count" is N in training (of what is not
  /// trained: in use), "thoughts.eval-count" is there where evaluation had another N.
  Settings settings;
  std::string seeds;  ///< "training 41, evaluation 41": what cells of one line differ in.
  MethodSamples samples;
  std::map<std::string, std::string> prompts;  ///< Their texts by prompt hash, where kept.
  std::optional<double> published;             ///< In per cent.
};

/// What is not in the tables, and why.
struct LeftOut {
  std::string name;
  std::string reason;
};

/// One line of the tables: the cells that differ in seeds alone.
struct StudyLine {
  std::string label;  ///< Title, and whatever tells it from lines of the same title.
  std::string method;
  std::string task;
  std::string trained_on;
  Settings settings;
  std::vector<std::size_t> cells;  ///< Of Study::cells.
  std::string doubt;
  MethodSamples samples;  ///< Those of all cells.
  MethodResult result;
  std::optional<double> published;
  std::optional<std::int64_t> thoughts;        ///< N in training.
  std::optional<std::int64_t> eval_thoughts;   ///< N in evaluation, where it is another.
  std::optional<std::int64_t> assistant_size;  ///< Parameters.
  std::optional<std::int64_t> trained_parameters;

  /// Trained for the task that it was tested on, or not at all.
  bool native() const { return trained_on.empty() || trained_on == task; }
};

struct Study {
  std::string title;
  std::string source;  ///< Where published figures are from.
  std::vector<StudyRun> runs;
  std::vector<StudyCell> cells;
  std::vector<LeftOut> left_out;
  std::vector<StudyLine> lines;  ///< Made by add_lines.

  /// Tasks in the order of their first line.
  std::vector<std::string> tasks() const;
  std::vector<const StudyLine*> lines_of(const std::string& task) const;
  /// Whether any line has been trained on another task than it was tested on.
  bool has_transfer() const;
};

/// Makes the lines out of the cells: cells of equal settings are one line, each task's in the order
/// of the cells, and each line is compared with the line of zero-shot CoT that is most like it. A
/// doubtful run's cells are lines of their own; cells that repeat another's settings and seeds are
/// left out. Pure.
void add_lines(Study& study);

/// What tells a line from `among` those of the same title: "N = 4, assistant 8 layers". Settings
/// `without` are passed over.
std::string distinction(const StudyLine& line, const std::vector<const StudyLine*>& among,
                        const std::set<std::string>& without = {});

/// A whole number as people read it: "332k", "1.25M", "8.03B".
std::string short_count(std::int64_t count);

}  // namespace softcot
