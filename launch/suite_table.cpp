#include "launch/suite_table.h"

#include <fmt/format.h>

#include <map>

#include "launch/method.h"
#include "launch/run_folder.h"
#include "runtime/json_file.h"

namespace softcot {
namespace {

constexpr const char* kBaseline = "zero_shot_cot";

std::string setting(const SuiteCell& cell, const std::string& name, const std::string& otherwise) {
  const auto found = cell.settings.find(name);
  return found == cell.settings.end() ? otherwise : found->second;
}

std::string thoughts_of(const SuiteCell& cell) {
  const Method& method = method_of(cell.entry.method);
  if (!method.placeholders && !method.written) return "";
  const std::string train = setting(cell, "thoughts.count", "32");
  const std::string eval = setting(cell, "thoughts.eval-count", "0");
  return eval == "0" || eval == train ? train : train + " / " + eval;
}

/// The samples of one line: those of all its training seeds, one after another.
void append_samples(MethodSamples& all, const std::filesystem::path& file) {
  std::int64_t first = 0;
  for (const Sample& sample : all.samples) first = std::max(first, sample.sample_index + 1);
  for (Sample& sample : read_samples(file)) {
    sample.sample_index += first;
    all.samples.push_back(std::move(sample));
  }
}

struct Line {
  SuiteRow row;
  MethodSamples samples;
  std::size_t seeds = 0;
};

/// Every line of one task, with the samples that are there.
std::vector<Line> lines_of(const Suite& suite, const std::filesystem::path& folder,
                           const std::string& task) {
  std::vector<Line> lines;
  for (const SuiteCell& cell : suite.cells) {
    const bool own = cell.task == task;
    if (!own && !cell.transfers.contains(task)) continue;
    const bool trained = method_of(cell.entry.method).trained();
    if (!own && !trained && cell.task != suite.tasks.front()) continue;  // the same from each task
    const std::string trained_on = trained ? cell.task : "";
    const auto there = std::find_if(lines.begin(), lines.end(), [&](const Line& line) {
      return line.row.entry.name() == cell.entry.name() && line.row.trained_on == trained_on;
    });
    Line& line = there == lines.end() ? lines.emplace_back() : *there;
    if (there == lines.end()) {
      line.row = {cell.entry, trained_on, task, thoughts_of(cell), {}, {}, {}};
      line.samples = {cell.entry.name() + "/" + trained_on, cell.entry.title, {}};
      if (cell.entry.name() == kBaseline) line.samples.method = kBaseline;
    }
    auto run = folder / cell.folder();
    if (!own) run = transfer_folder(run, task);
    const RunPaths paths{run};
    if (!std::filesystem::exists(paths.results())) continue;
    const auto json = read_json_file(paths.results());
    const MethodResult first = comparison_from_json(json, paths.results().string()).rows.at(0);
    line.samples.quirks = first.quirks;
    append_samples(line.samples, paths.samples(first.method));
    const auto provenance = provenance_from_json(json, paths.results().string());
    line.row.trained = provenance.trained_parameters;
    ++line.seeds;
  }
  return lines;
}

/// Zero-shot CoT scored in the same way, where the suite has it.
std::string baseline_of(const std::vector<Line>& lines, const Line& line) {
  if (line.samples.quirks == ScoringQuirks{}) return kBaseline;
  for (const Line& other : lines) {
    const bool zero_shot = other.row.entry.method == kBaseline;
    if (zero_shot && !other.samples.samples.empty() &&
        other.samples.quirks == line.samples.quirks) {
      return other.samples.method;
    }
  }
  return kBaseline;
}

std::string percent(double share) { return fmt::format("{:.1f}", 100 * share); }

const Accuracy& headline_accuracy(const MethodResult& result) {
  const Extractor extractor = headline_of({}, result.quirks);
  return result.accuracy.at(std::string(extractor_name(extractor)));
}

std::string accuracy_text(const SuiteRow& row) {
  if (!row.result) return "–";
  const Accuracy& accuracy = headline_accuracy(*row.result);
  if (row.result->over_seeds.deviation) {
    return fmt::format("{} ± {} sd", percent(accuracy.value),
                       percent(*row.result->over_seeds.deviation));
  }
  return fmt::format("{} ± {}", percent(accuracy.value), percent(accuracy.standard_error));
}

std::string nll_text(const SuiteRow& row) {
  return row.result && row.result->nll_per_token
             ? fmt::format("{:.4f}", row.result->nll_per_token->value)
             : "–";
}

std::string change_text(const SuiteRow& row) {
  if (!row.result || !row.result->contrast || !row.result->contrast->nll) return "–";
  const Estimate& change = row.result->contrast->nll->relative;
  return fmt::format("{:+.1f} [{:+.1f}, {:+.1f}]", 100 * change.value, 100 * change.interval.low,
                     100 * change.interval.high);
}

std::string p_text(const SuiteRow& row) {
  if (!row.result || !row.result->contrast) return "–";
  return fmt::format("{:.2g}", row.result->contrast->mcnemar_p);
}

std::string title_of(const SuiteRow& row) {
  if (row.trained_on.empty() || row.trained_on == row.task) return row.entry.title;
  return fmt::format("{} ({})", row.entry.title, row.trained_on);
}

std::string published_text(const SuiteRow& row) {
  return row.published ? fmt::format("{:.2f}", *row.published) : "";
}

/// One line a row, behind a heading for each task.
std::string questions_of(const std::vector<SuiteRow>& rows, const std::string& task) {
  for (const SuiteRow& row : rows) {
    if (row.task == task && row.result) return fmt::format("{} questions", row.result->questions);
  }
  return "nothing yet";
}

std::vector<std::string> tasks_of(const Suite& suite) {
  std::vector<std::string> tasks = suite.tasks;
  for (const std::string& task : suite.transfer) {
    if (std::find(tasks.begin(), tasks.end(), task) == tasks.end()) tasks.push_back(task);
  }
  return tasks;
}

}  // namespace

std::filesystem::path transfer_folder(const std::filesystem::path& cell, const std::string& task) {
  return RunPaths{cell}.transfer(task);
}

std::vector<SuiteRow> suite_rows(const Suite& suite, const std::filesystem::path& folder) {
  std::vector<SuiteRow> rows;
  for (const std::string& task : tasks_of(suite)) {
    std::vector<Line> lines = lines_of(suite, folder, task);
    std::vector<MethodSamples> samples;
    for (Line& line : lines) {
      line.samples.baseline = baseline_of(lines, line);
      line.samples.seeds = std::max<std::size_t>(1, line.seeds);
      samples.push_back(line.samples);
    }
    const Comparison comparison = compare_methods(samples, {.baseline = kBaseline});
    for (Line& line : lines) {
      for (const MethodResult& result : comparison.rows) {
        if (result.method == line.samples.method) line.row.result = result;
      }
      for (const PublishedFigure& figure : suite.published) {
        const bool native =
            line.row.trained_on.empty() || line.row.trained_on == task ||
            std::find(suite.tasks.begin(), suite.tasks.end(), task) == suite.tasks.end();
        if (native && figure.task == task && figure.entry == line.row.entry.name()) {
          line.row.published = figure.accuracy;
        }
      }
      rows.push_back(std::move(line.row));
    }
  }
  return rows;
}

std::string format_suite(const Suite& suite, const std::vector<SuiteRow>& rows) {
  std::string out = suite.title + "\n";
  for (const std::string& task : tasks_of(suite)) {
    out += fmt::format("\n{}, {}\n", task, questions_of(rows, task));
    out += fmt::format("{:<32} {:>7} {:>9} {:>22} {:>14} {:>6} {:>5}\n", "method (trained on)", "N",
                       "NLL/token", "Δ % [95 %]", "accuracy %", "p", "paper");
    for (const SuiteRow& row : rows) {
      if (row.task != task) continue;
      out += fmt::format("{:<32} {:>7} {:>9} {:>22} {:>14} {:>6} {:>5}\n",
                         title_of(row).substr(0, 32), row.thoughts, nll_text(row), change_text(row),
                         accuracy_text(row), p_text(row), published_text(row));
    }
  }
  out +=
      "\nΔ: held-out NLL per token against zero-shot CoT on the same questions. Accuracy: "
      "flexible\nextractor, ± standard error, or sd over training seeds. p: McNemar, exact.";
  if (!suite.source.empty()) out += "\npaper: " + suite.source;
  return out + "\n";
}

std::string suite_markdown(const Suite& suite, const std::vector<SuiteRow>& rows) {
  std::string out = "# " + suite.title + "\n";
  for (const std::string& task : tasks_of(suite)) {
    out += fmt::format(
        "\n## {} ({})\n\n| method (trained on) | N | NLL per token | Δ % [95 %] | accuracy % | "
        "McNemar p | published % |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: |\n",
        task, questions_of(rows, task));
    for (const SuiteRow& row : rows) {
      if (row.task != task) continue;
      out += fmt::format("| {} | {} | {} | {} | {} | {} | {} |\n", title_of(row), row.thoughts,
                         nll_text(row), change_text(row), accuracy_text(row), p_text(row),
                         published_text(row));
    }
  }
  out +=
      "\nΔ is the held-out NLL per token of the reference rationale and answer against zero-shot "
      "CoT on the same questions. Accuracy by the flexible extractor, ± standard error over "
      "questions, or sd over training seeds where there are several.\n";
  if (!suite.source.empty()) out += "\nPublished figures: " + suite.source + "\n";
  return out;
}

std::string suite_csv(const std::vector<SuiteRow>& rows) {
  std::string out =
      "task,method,trained_on,thoughts,questions,seeds,nll_per_token,nll_relative,"
      "nll_relative_low,nll_relative_high,accuracy,standard_error,sd_over_seeds,mcnemar_p,"
      "published_percent\n";
  for (const SuiteRow& row : rows) {
    out += fmt::format("{},{},{},{}", row.task, row.entry.name(), row.trained_on, row.thoughts);
    if (!row.result) {
      out += ",,,,,,,,,,";
    } else {
      const MethodResult& result = *row.result;
      const Accuracy& accuracy = headline_accuracy(result);
      out += fmt::format(
          ",{},{},{}", result.questions, result.over_seeds.count,
          result.nll_per_token ? fmt::format("{:.6g}", result.nll_per_token->value) : "");
      if (result.contrast && result.contrast->nll) {
        const Estimate& change = result.contrast->nll->relative;
        out += fmt::format(",{:.6g},{:.6g},{:.6g}", change.value, change.interval.low,
                           change.interval.high);
      } else {
        out += ",,,";
      }
      out += fmt::format(
          ",{:.6g},{:.6g},{},{}", accuracy.value, accuracy.standard_error,
          result.over_seeds.deviation ? fmt::format("{:.6g}", *result.over_seeds.deviation) : "",
          result.contrast ? fmt::format("{:.6g}", result.contrast->mcnemar_p) : "");
    }
    out += "," + published_text(row) + "\n";
  }
  return out;
}

nlohmann::ordered_json suite_json(const Suite& suite, const std::vector<SuiteRow>& rows) {
  nlohmann::ordered_json json = {
      {"schema", "softcot-suite/1"}, {"title", suite.title},
      {"suite_hash", suite.hash},    {"version", SOFTCOT_VERSION},
      {"source", suite.source},      {"rows", nlohmann::ordered_json::array()}};
  for (const SuiteRow& row : rows) {
    nlohmann::ordered_json line = {{"task", row.task},
                                   {"method", row.entry.name()},
                                   {"trained_on", row.trained_on},
                                   {"thoughts", row.thoughts},
                                   {"trained_parameters", row.trained}};
    if (row.published) line["published_percent"] = *row.published;
    if (row.result) {
      const Comparison one{.options = {.baseline = kBaseline}, .rows = {*row.result}};
      line["result"] = results_to_json(one, {}).at("methods").at(0);
    }
    json["rows"].push_back(line);
  }
  return json;
}

}  // namespace softcot
