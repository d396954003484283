#include "evaluation/report_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string_view>
#include <utility>

#include "evaluation/figure_text.h"
#include "runtime/atomic_file.h"
#include "runtime/counted.h"
#include "runtime/error.h"
#include "runtime/json_file.h"

namespace softcot {
namespace {

constexpr std::uint64_t kLargestText = std::uint64_t{1} << 32;

std::optional<double> sum_of(const nlohmann::json& line, const char* key) {
  const auto found = line.find(key);
  if (found == line.end() || !found->is_object()) return std::nullopt;
  double sum = 0;
  for (const auto& part : *found) sum += part.is_number() ? part.get<double>() : 0;
  return sum;
}

std::optional<double> number(const nlohmann::json& line, const char* key) {
  const auto found = line.find(key);
  if (found == line.end() || !found->is_number()) return std::nullopt;
  return found->get<double>();
}

std::optional<std::int64_t> whole_number(const nlohmann::json& line, const char* key) {
  const auto found = line.find(key);
  if (found == line.end() || !found->is_number_integer()) return std::nullopt;
  return found->get<std::int64_t>();
}

/// The text of an evaluate.cfg without what `evaluate` does not look at: what a training was made
/// with stands in its own config.cfg.
std::string as_evaluate_uses_it(const std::string& text) {
  constexpr std::array<std::string_view, 4> kOfTrain = {"method", "pack", "target-logits",
                                                        "shared-prefix"};
  std::string out;
  std::string section;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with('[')) section = line;
    if (section == "[lora]" || section == "[coconut]" || section == "[stop]") continue;
    const auto key = line.substr(0, line.find_first_of(" ="));
    const bool assigns = line.find('=') != std::string::npos && !line.starts_with('#');
    const bool used = std::find(kOfTrain.begin(), kOfTrain.end(), key) != kOfTrain.end();
    if (section == "[train]" && assigns && !used) continue;
    out += line + "\n";
  }
  return out;
}

void read_metrics(const std::filesystem::path& path, RunRecord& run) {
  RunSteps read = read_steps(path);
  run.steps = std::move(read.steps);
  run.frozen_weights = read.frozen_weights;
  if (read.unreadable > 0) {
    run.remarks.push_back(fmt::format("{} of metrics.jsonl could not be read and {} left out.",
                                      counted(read.unreadable, "line"),
                                      read.unreadable == 1 ? "is" : "are"));
  }
}

void read_sample_files(const std::filesystem::path& folder, RunRecord& run) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.is_regular_file() && entry.path().extension() == ".jsonl")
      files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  // Replicas write parts, which become one file when all are done.
  const auto is_part = [](const std::filesystem::path& file) {
    return file.stem().string().find(".part-") != std::string::npos;
  };
  if (std::erase_if(files, is_part) > 0) {
    run.remarks.emplace_back(
        "An evaluation is under way or was stopped: its latest samples are not in here.");
  }
  for (const auto& file : files) {
    const std::string method = file.stem().string();
    run.methods.push_back({method, method, read_samples(file)});
  }
  if (!run.comparison) return;
  const auto place = [&](const MethodSamples& method) {
    const auto& rows = run.comparison->rows;
    return std::find_if(rows.begin(), rows.end(),
                        [&](const MethodResult& row) { return row.method == method.method; }) -
           rows.begin();
  };
  std::stable_sort(
      run.methods.begin(), run.methods.end(),
      [&](const MethodSamples& a, const MethodSamples& b) { return place(a) < place(b); });
  for (MethodSamples& method : run.methods) {
    const auto at = static_cast<std::size_t>(place(method));
    if (at < run.comparison->rows.size()) method.title = run.comparison->rows[at].title;
  }
}

}  // namespace

RunSteps read_steps(const std::filesystem::path& metrics) {
  std::istringstream lines(read_file(metrics, kLargestText));
  RunSteps run;
  for (std::string text; std::getline(lines, text);) {
    const auto line = parse_json_or_null(text);
    const bool whole =
        line.is_object() && line.contains("step") && line["step"].is_number_integer();
    if (!whole) {
      ++run.unreadable;
      continue;
    }
    if (const auto frozen = line.find("frozen_weights_unchanged"); frozen != line.end()) {
      if (frozen->is_string()) run.frozen_weights = frozen->get<std::string>();
      continue;
    }
    run.steps.push_back({.step = line["step"].get<std::int64_t>(),
                         .stage = whole_number(line, "stage").value_or(0),
                         .loss = number(line, "loss"),
                         .gradient_norm = number(line, "grad_norm"),
                         .learning_rate = number(line, "learning_rate"),
                         .tokens_per_second = number(line, "tokens_per_second"),
                         .heldout_loss = number(line, "heldout_loss"),
                         .seconds = sum_of(line, "seconds")});
  }
  std::stable_sort(run.steps.begin(), run.steps.end(),
                   [](const RunStep& a, const RunStep& b) { return a.step < b.step; });
  return run;
}

RunRecord read_run(const std::filesystem::path& folder) {
  namespace fs = std::filesystem;
  if (!fs::is_directory(folder)) {
    fail(ExitCode::kInput, {.what = "no such run folder", .where = folder.string()});
  }
  RunRecord run;
  const fs::path whole = fs::weakly_canonical(folder);
  run.name =
      whole.has_filename() ? whole.filename().string() : whole.parent_path().filename().string();
  bool found = false;
  const auto there = [&](const char* name) {
    const bool is = fs::exists(folder / name);
    found = found || is;
    return is;
  };
  for (const char* name : {"config.cfg", "evaluate.cfg"}) {
    if (there(name)) run.configs.emplace_back(name, read_file(folder / name, kLargestText));
  }
  for (auto& [name, text] : run.configs) {
    if (name == "evaluate.cfg") text = as_evaluate_uses_it(text);
  }
  if (there("metrics.jsonl")) read_metrics(folder / "metrics.jsonl", run);
  if (there("results.json")) {
    const fs::path path = folder / "results.json";
    const nlohmann::json json = read_json_file(path);
    run.comparison = comparison_from_json(json, path.string());
    run.provenance = provenance_from_json(json, path.string());
    for (const MethodResult& row : run.comparison->rows) {
      if (row.skipped > 0) run.remarks.push_back(row.title + ": " + skipped_text(row));
    }
  }
  if (there("samples")) read_sample_files(folder / "samples", run);
  if (!found) {
    fail(ExitCode::kInput, {.what = "not a run folder",
                            .where = folder.string(),
                            .expected = "config.cfg, metrics.jsonl, results.json or samples/",
                            .got = "none of them"});
  }
  return run;
}

}  // namespace softcot
