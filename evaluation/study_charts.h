#pragma once

#include <string>

#include "evaluation/study.h"

namespace softcot {

// Parts of the page with pictures, HTML; empty where the study has nothing for them.

/// NLL and accuracy of a task against N, soft against hard, with 95 % bands.
std::string thoughts_section(const Study& study, const std::string& task,
                             const std::string& gnuplot);
/// The same against the number of the assistant's parameters.
std::string sizes_section(const Study& study, const std::string& task, const std::string& gnuplot);
/// Votes among several samples of a question.
std::string votes_section(const Study& study, const std::string& task, const std::string& gnuplot);
/// Loss of all trainings by step.
std::string trainings_section(const Study& study, const std::string& gnuplot);

}  // namespace softcot
