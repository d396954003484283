#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "evaluation/result_table.h"
#include "launch/sweep/suite.h"

namespace softcot {

/// One evaluation that a row is made of.
struct SuiteRun {
  std::string folder;  ///< Below that of the suite.
  std::string hash;    ///< SuiteCell::hash().
  Provenance provenance;
};

/// One line of a suite's table: an entry, what it was trained on and what it was tested on, and in
/// which way it answered and was scored where its cells have several. Several training seeds are
/// one line.
struct SuiteRow {
  SuiteEntry entry;
  std::string trained_on;  ///< A task; empty for entries that train nothing.
  std::string task;
  std::string thoughts;      ///< N in training and evaluation: "32 / 4"; empty without any.
  std::string samples = {};  ///< Name of its sample file: "softcot", "softcot-greedy-reference".
  std::optional<MethodResult> result;  ///< Missing while it is not made.
  std::optional<double> published;     ///< In per cent: of the vote where there are votes.
  std::vector<SuiteRun> runs;          ///< One for each training seed that is there.

  /// Trained numbers: "", "332k", "1.25M", "all".
  std::string parameters() const;
};

/// A cell without results, and why: not run, failed, or run under other settings.
struct MissingCell {
  std::string folder;
  std::string reason;
};

struct SuiteTable {
  std::vector<SuiteRow> rows;  ///< Task by task in the suite's order.
  std::vector<MissingCell> missing;
};

/// The folder in which a cell is evaluated on another task.
std::filesystem::path transfer_folder(const std::filesystem::path& cell, const std::string& task);

/// All cells below `folder`, each compared with zero-shot CoT on the same questions. A pure
/// function of the suite and what is in the folder.
SuiteTable read_suite_table(const Suite& suite, const std::filesystem::path& folder);

// Pure: the same bytes for the same table.

/// For a terminal, at most 100 columns: all methods on all tasks, each task in detail, who does
/// what on tasks that it was not trained on, votes, what is missing.
std::string format_suite(const Suite& suite, const SuiteTable& table);
/// The same as a page of Markdown, with the hashes of what the figures were made from.
std::string suite_markdown(const Suite& suite, const SuiteTable& table);
/// One line a row; fractions, not per cent.
std::string suite_csv(const SuiteTable& table);
nlohmann::ordered_json suite_json(const Suite& suite, const SuiteTable& table);

}  // namespace softcot
