#pragma once

#include <optional>
#include <string>
#include <vector>

#include "evaluation/grid.h"
#include "evaluation/study.h"

namespace softcot {

// The figures of a study as people read them; pure. "∗" marks a difference from zero-shot CoT that
// is significant among all lines of the task: Contrast::holm_p < 0.05 for accuracy, nll_of_all
// without zero for the NLL.

/// All methods on all tasks, each as it was trained for that task; nothing for a single task. Lines
/// that were tested with another N than trained are in thought_grids alone.
std::optional<Grid> overview_grid(const Study& study);
/// Every line of a task, with intervals and published figures.
Grid task_grid(const Study& study, const std::string& task);
/// NLL and accuracy by N in training and in evaluation, where a method has several of both.
std::vector<Grid> thought_grids(const Study& study, const std::string& task);
/// Accuracy and change of the NLL of what was tested on several tasks.
std::vector<Grid> transfer_grids(const Study& study);
/// What each line took.
std::optional<Grid> cost_grid(const Study& study);
/// The hashes, seeds and machine of every run that is counted.
Grid sources_grid(const Study& study);
std::optional<Grid> left_out_grid(const Study& study);

/// All of these that the study has, in the order of the report.
std::vector<Grid> study_grids(const Study& study);

/// "gsm8k: Of 24 lines …": best_line_sentence of those of a task that were trained for it and that
/// nothing is to be said against; empty where there is nothing to compare.
std::string study_verdict(const Study& study, const std::string& task);

/// What the columns mean, in a paragraph.
std::string study_words(const Study& study);

}  // namespace softcot
