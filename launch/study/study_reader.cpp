#include "launch/study/study_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "evaluation/prompt_log.h"
#include "launch/run/method.h"
#include "launch/run/run_folder.h"
#include "launch/study/study_doubt.h"
#include "launch/study/study_settings.h"
#include "launch/sweep/sweep_record.h"
#include "launch/sweep/work.h"
#include "runtime/atomic_file.h"
#include "runtime/error.h"
#include "runtime/json_file.h"
#include "runtime/log.h"
#include "runtime/named_path.h"

namespace softcot {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kLongestConfig = 1 << 20;  // bytes

/// What a folder of results is called, and what its suite says of it.
struct Place {
  std::string name;
  fs::path results;  ///< The folder of results.json.
  fs::path run;      ///< The folder of the training; the same where there is none of its own.
  std::string title = {};
  std::map<std::string, double> published = {};  ///< By sample file; "" for all of them.
  bool cell = false;                             ///< Of `compare`, whose marks stand in `run`.
  /// The one method whose results count: the others are another cell's. Empty for all.
  std::string only = {};
};

/// A path in a file of results leads to no other place than the folder of that file.
std::string inside(std::string path, const std::string& where) {
  if (stays_below(path)) return path;
  fail(ExitCode::kInput, {.what = "path that leads out of the folder of results",
                          .where = where,
                          .expected = "one below that folder",
                          .got = path});
}

std::string name_of(const fs::path& folder) {
  const fs::path whole = fs::weakly_canonical(folder);
  return whole.has_filename() ? whole.filename().string() : whole.parent_path().filename().string();
}

class Reader {
 public:
  explicit Reader(Study& study) : study_(study) {}

  void add(const fs::path& folder) {
    if (!fs::is_directory(folder)) {
      fail(ExitCode::kInput, {.what = "no such run folder", .where = folder.string()});
    }
    const auto folders = sorted_folders(folder);
    const bool cells = std::any_of(folders.begin(), folders.end(), [](const fs::path& each) {
      return fs::exists(each / kWorkConfig) && !each.filename().string().starts_with("on-");
    });
    if (fs::exists(folder / "sweep.json")) {
      add_sweep(folder);
    } else if (cells) {
      add_suite(folder);
    } else {
      add_run({name_of(folder), folder, folder});
    }
  }

 private:
  void leave_out(const std::string& name, const std::string& reason) {
    log_warning("left out: {}: {}", name, reason);
    study_.left_out.push_back({name, reason});
  }

  /// A sweep's cells as its sweep.json lists them, each before it with the zero-shot CoT that all
  /// like it were compared with.
  void add_sweep(const fs::path& folder) {
    const std::string where = (folder / "sweep.json").string();
    const auto json = read_json_file(folder / "sweep.json");
    const auto schema = require<std::string>(json, "schema", where);
    if (schema != kSweepSchema) {
      leave_out(name_of(folder),
                fmt::format("sweep.json of the version {}, not {}", schema, kSweepSchema));
      return;
    }
    study_.title = require<std::string>(json, "title", where);
    for (const auto& cell : require<nlohmann::json>(json, "cells", where)) {
      const auto name = name_of(folder) + "/" + require<std::string>(cell, "name", where);
      const auto status = require<std::string>(cell, "status", where);
      if (status != "done") {
        const bool told = cell.contains("error") && cell["error"].is_string();
        leave_out(name, told && !cell["error"].get_ref<const std::string&>().empty()
                            ? status + ": " + cell["error"].get<std::string>()
                            : status);
        continue;
      }
      const auto below = [&](const char* key) {
        const auto path = require<std::string>(cell, key, where);
        return path.empty() ? fs::path() : folder / inside(path, where);
      };
      const fs::path baseline = below("baseline");
      if (fs::exists(RunPaths{baseline}.results())) {
        add_results({name_of(folder) + "/" + name_of(baseline), baseline, baseline});
      }
      const fs::path training = below("trained");
      const fs::path results = below("results").parent_path();
      Place place{name, results, training.empty() ? results : training};
      place.only = require<std::string>(cell, "method", where);
      add_results(place);
    }
  }

  /// The cells of a suite, in the order of its result.json, then those that it does not name.
  void add_suite(const fs::path& folder) {
    std::map<std::string, Place> known;
    std::vector<std::string> order;
    if (fs::exists(folder / "result.json")) read_suite(folder, known, order);
    for (const fs::path& cell : sorted_folders(folder)) {
      const std::string name = cell.filename().string();
      if (!fs::exists(cell / kWorkConfig)) continue;
      if (!known.contains(name)) order.push_back(name);
    }
    for (const std::string& name : order) {
      Place place{name_of(folder) + "/" + name, folder / name, folder / name};
      place.cell = true;
      place.title = known[name].title;
      place.published = known[name].published;
      if (const auto failure = read_failure(folder / name)) {
        leave_out(place.name, failure->text());
        continue;
      }
      add_run(place, &known);
    }
  }

  void read_suite(const fs::path& folder, std::map<std::string, Place>& known,
                  std::vector<std::string>& order) {
    const std::string where = (folder / "result.json").string();
    const auto json = read_json_file(folder / "result.json");
    study_.title = require<std::string>(json, "title", where);
    study_.source = require<std::string>(json, "source", where);
    for (const auto& row : require<nlohmann::json>(json, "rows", where)) {
      for (const auto& run : require<nlohmann::json>(row, "runs", where)) {
        const auto name = inside(require<std::string>(run, "folder", where), where);
        if (name.find('/') == std::string::npos && !known.contains(name)) order.push_back(name);
        Place& place = known[name];
        place.title = require<std::string>(row, "title", where);
        if (row.contains("published_percent")) {
          const bool named = row.contains("samples");
          const auto samples = named ? require<std::string>(row, "samples", where) : "";
          place.published[samples] = require<double>(row, "published_percent", where);
        }
      }
    }
  }

  /// A run folder with its evaluations on other tasks.
  void add_run(const Place& place, std::map<std::string, Place>* known = nullptr) {
    add_results(place);
    for (const fs::path& other : sorted_folders(place.results)) {
      const std::string name = other.filename().string();
      if (!name.starts_with("on-")) continue;
      Place there{place.name + "/" + name, other, place.run, place.title, {}, place.cell};
      const std::string below = place.results.filename().string() + "/" + name;
      if (known != nullptr && known->contains(below)) there.published = (*known)[below].published;
      add_results(there);
    }
  }

  void add_results(const Place& place) {
    if (!seen_.insert(fs::weakly_canonical(place.results)).second) return;
    try {
      if (!fs::exists(place.results / "results.json")) {
        read_run(place.results);  // what is no run folder at all says so
        leave_out(place.name, "no results.json: it has not been evaluated");
        return;
      }
      add_record(place, read_run(place.results));
    } catch (const Error& error) {
      Problem problem = error.problem();
      problem.fix.clear();
      leave_out(place.name, describe(problem));
    }
  }

  void add_record(const Place& place, const RunRecord& record) {
    StudyRun run{.name = place.name,
                 .steps = record.steps,
                 .work = read_work(RunPaths{place.results}.work()),
                 .provenance = record.provenance,
                 .configs = record.configs,
                 .doubt = {}};
    const bool apart = fs::exists(place.run) && !fs::equivalent(place.run, place.results);
    if (apart && fs::exists(RunPaths{place.run}.config())) {
      run.configs.insert(
          run.configs.begin(),
          {"training: config.cfg", read_file(RunPaths{place.run}.config(), kLongestConfig)});
    }
    if (apart && fs::exists(RunPaths{place.run}.metrics())) {
      run.steps = read_steps(RunPaths{place.run}.metrics()).steps;
      for (WorkRecord& work : read_work(RunPaths{place.run}.work())) {
        if (work.command == "train") run.work.push_back(std::move(work));
      }
    }
    const Settings evaluation = settings_in(place.results / "evaluate.cfg");
    const Settings training = settings_in(RunPaths{place.run}.config());
    run.doubt = doubt_of(record, evaluation);
    const std::string version = softcot_version(record.provenance);
    if (run.doubt.empty() && place.cell && version == SOFTCOT_VERSION) {
      run.doubt = doubt_of_cell(place.run);
    }
    if (version != SOFTCOT_VERSION) {
      leave_out(place.name + " (kept)",
                fmt::format("made by softcot {}, this is {}", version, SOFTCOT_VERSION));
    }
    for (const std::string& remark : record.remarks) leave_out(place.name + " (kept)", remark);
    study_.runs.push_back(std::move(run));
    for (const MethodResult& row : record.comparison->rows) {
      const std::string method = row.method.substr(0, row.method.find('-'));
      if (!place.only.empty() && method != place.only) continue;
      add_cell(place, record, row, evaluation, training);
    }
  }

  static Settings settings_in(const fs::path& file) {
    return fs::exists(file) ? read_settings(file) : Settings();
  }

  void add_cell(const Place& place, const RunRecord& record, const MethodResult& row,
                const Settings& evaluation, const Settings& training) {
    const auto samples =
        std::find_if(record.methods.begin(), record.methods.end(),
                     [&](const MethodSamples& each) { return each.method == row.method; });
    if (samples == record.methods.end()) {
      leave_out(place.name, "samples/" + row.method + ".jsonl is missing");
      return;
    }
    StudyCell cell;
    cell.run = study_.runs.size() - 1;
    cell.method = row.method.substr(0, row.method.find('-'));
    const bool trained = method_of(cell.method).trained();
    cell.trained_on = trained ? record.provenance.trained_on : "";
    cell.settings = deciding_settings(cell.method, evaluation, training);
    cell.seeds = seeds_of(cell.method, evaluation, training);
    cell.samples = *samples;
    cell.samples.quirks = row.quirks;
    cell.samples.seeds = std::max<std::size_t>(1, row.over_seeds.count);
    if (record.comparison->rows.size() == 1 && !place.title.empty()) {
      cell.samples.title = place.title;
    }
    cell.prompts = read_prompts(RunPaths{place.results}.prompts(row.method));
    for (const std::string& file : {row.method, std::string()}) {
      const auto published = place.published.find(file);
      if (published != place.published.end()) cell.published = published->second;
    }
    study_.cells.push_back(std::move(cell));
  }

  Study& study_;
  std::set<fs::path> seen_;
};

}  // namespace

Study read_study(const std::vector<std::filesystem::path>& folders) {
  Study study;
  Reader reader(study);
  for (const auto& folder : folders) reader.add(folder);
  if (study.cells.empty()) {
    fail(ExitCode::kInput,
         {.what = "no results to report",
          .where = folders.empty() ? "" : folders.front().string(),
          .expected = "evaluated run folders, or an OUT folder of compare or sweep",
          .got = study.left_out.empty() ? "" : study.left_out.front().reason});
  }
  std::string names;
  for (const auto& folder : folders) names += (names.empty() ? "" : ", ") + name_of(folder);
  if (folders.size() > 1 || study.title.empty()) study.title = names;
  // In the order in which methods are listed everywhere.
  const auto names_in_order = method_names(false);
  const auto place = [&](const StudyCell& cell) {
    return std::find(names_in_order.begin(), names_in_order.end(), cell.method);
  };
  std::stable_sort(study.cells.begin(), study.cells.end(),
                   [&](const auto& a, const auto& b) { return place(a) < place(b); });
  add_lines(study);
  return study;
}

}  // namespace softcot
