#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "evaluation/result_table.h"
#include "launch/suite.h"

namespace softcot {

/// One line of a suite's table: an entry, what it was trained on and what it was tested on. Several
/// training seeds are one line.
struct SuiteRow {
  SuiteEntry entry;
  std::string trained_on;  ///< A task; empty for entries that train nothing.
  std::string task;
  std::string thoughts;  ///< N in training and evaluation: "32 / 4"; empty without any.
  std::optional<MethodResult> result;  ///< Missing while it is not made.
  std::optional<double> published;     ///< Accuracy in per cent.
  std::vector<std::string> trained;    ///< Its parameters.
};

/// The folder in which a cell is evaluated on another task.
std::filesystem::path transfer_folder(const std::filesystem::path& cell, const std::string& task);

/// The rows of all cells below `folder`, task by task in the suite's order, each compared with
/// zero-shot CoT on the same questions. A pure function of the suite and what is in the folder.
std::vector<SuiteRow> suite_rows(const Suite& suite, const std::filesystem::path& folder);

/// At most 100 columns.
std::string format_suite(const Suite& suite, const std::vector<SuiteRow>& rows);
std::string suite_markdown(const Suite& suite, const std::vector<SuiteRow>& rows);
std::string suite_csv(const std::vector<SuiteRow>& rows);
nlohmann::ordered_json suite_json(const Suite& suite, const std::vector<SuiteRow>& rows);

}  // namespace softcot
