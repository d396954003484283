#include "launch/study/study_doubt.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "launch/run/run_folder.h"
#include "launch/study/study_settings.h"
#include "launch/sweep/suite.h"
#include "launch/sweep/work.h"

namespace softcot {
namespace {

namespace fs = std::filesystem;

/// Whether results.json can have come from these samples.
bool follows(const MethodResult& result, const MethodSamples& samples) {
  const std::vector<MethodSamples> alone = {samples};
  const Comparison again =
      compare_methods(alone, {.baseline = "none", .bootstrap = {.resamples = 1}});
  if (again.rows.empty()) return false;
  const MethodResult& row = again.rows[0];
  const auto near = [](double a, double b) { return std::abs(a - b) <= 1e-9 * (1 + std::abs(b)); };
  const bool same_nll =
      row.nll_per_token.has_value() == result.nll_per_token.has_value() &&
      (!row.nll_per_token || near(row.nll_per_token->value, result.nll_per_token->value));
  return row.questions == result.questions && row.samples == result.samples && same_nll &&
         near(headline_accuracy(row).value, headline_accuracy(result).value);
}

}  // namespace

std::string softcot_version(const Provenance& provenance) {
  const auto found = provenance.versions.find("softcot");
  return found == provenance.versions.end() ? "of unknown version" : found->second;
}

std::vector<fs::path> sorted_folders(const fs::path& parent) {
  std::vector<fs::path> folders;
  for (const auto& entry : fs::directory_iterator(parent)) {
    if (entry.is_directory()) folders.push_back(entry.path());
  }
  std::sort(folders.begin(), folders.end());
  return folders;
}

std::string doubt_of(const RunRecord& record, const Settings& evaluation) {
  const std::string now = settings_hash(evaluation);
  if (record.provenance.config_hash != now) {
    return fmt::format("results.json is of the settings {}, evaluate.cfg of {}",
                       record.provenance.config_hash, evaluation.empty() ? "none" : now);
  }
  for (const MethodResult& row : record.comparison->rows) {
    for (const MethodSamples& samples : record.methods) {
      if (samples.method != row.method) continue;
      MethodSamples same = samples;
      same.quirks = row.quirks;
      same.seeds = std::max<std::size_t>(1, row.over_seeds.count);
      if (!follows(row, same)) {
        return "results.json does not follow from samples/" + row.method + ".jsonl";
      }
    }
  }
  return "";
}

std::string doubt_of_cell(const fs::path& folder) {
  const auto done = read_done(folder);
  if (!done || !fs::exists(folder / kWorkConfig)) return "";
  SuiteCell cell;
  cell.settings = read_settings(folder / kWorkConfig);
  for (const fs::path& other : sorted_folders(folder)) {
    const std::string name = other.filename().string();
    if (!name.starts_with("on-") || !fs::exists(other / kWorkConfig)) continue;
    Settings settings = read_settings(other / kWorkConfig);
    settings.erase("evaluate.trained");
    cell.transfers[name.substr(3)] = std::move(settings);
  }
  if (done->hash == cell.hash()) return "";
  return fmt::format("cell.done is of the settings {}, cell.cfg of {}", done->hash, cell.hash());
}

}  // namespace softcot
