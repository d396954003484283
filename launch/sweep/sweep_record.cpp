#include "launch/sweep/sweep_record.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "evaluation/figure_text.h"
#include "evaluation/result_table.h"
#include "launch/run/run_folder.h"
#include "runtime/json_file.h"

namespace softcot {
namespace {

nlohmann::ordered_json value_json(const std::string& text) {
  std::int64_t whole = 0;
  const char* end = text.data() + text.size();
  if (std::from_chars(text.data(), end, whole) == std::from_chars_result{end, std::errc()}) {
    return whole;
  }
  double number = 0;
  if (std::from_chars(text.data(), end, number) == std::from_chars_result{end, std::errc()} &&
      std::isfinite(number)) {
    return number;
  }
  return text;
}

/// "done", "failed" or "missing", and of the last two why.
std::pair<std::string, std::string> status_of(const Work& work, const std::filesystem::path& out) {
  const auto reason = why_missing(out / work.name, work.hash);
  if (!reason) return {"done", ""};
  const std::string failed = "failed: ";
  if (reason->starts_with(failed)) return {"failed", reason->substr(failed.size())};
  return {"missing", *reason == "not run" ? "" : *reason};
}

std::string interval(const Interval& of) { return fmt::format("{},{}", of.low, of.high); }

std::string figures(const MethodResult& row) {
  std::string line = fmt::format("{},{},{}", row.method, row.questions, row.samples);
  line += row.nll_per_token ? fmt::format(",{},{}", row.nll_per_token->value,
                                          interval(row.nll_per_token->interval))
                            : ",,,";
  const bool paired = row.contrast && row.contrast->nll;
  line += paired ? fmt::format(",{},{}", row.contrast->nll->relative.value,
                               interval(row.contrast->nll->relative.interval))
                 : ",,,";
  const Accuracy& accuracy = headline_accuracy(row);
  line += fmt::format(",{},{},", accuracy.value, accuracy.standard_error);
  if (row.over_seeds.deviation) line += fmt::format("{}", *row.over_seeds.deviation);
  line += row.contrast ? fmt::format(",{}", row.contrast->mcnemar_p) : ",";
  return line + fmt::format(",{}", row.mean_new_tokens);
}

}  // namespace

nlohmann::ordered_json sweep_json(const Sweep& sweep, const SweepPlan& plan,
                                  const std::filesystem::path& out) {
  nlohmann::ordered_json json;
  json["schema"] = kSweepSchema;
  json["version"] = SOFTCOT_VERSION;
  json["title"] = sweep.title;
  json["sweep_hash"] = sweep.hash();
  json["axes"] = nlohmann::ordered_json::object();
  for (const SweepAxis& axis : sweep.axes) {
    for (const std::string& value : axis.values) {
      json["axes"][axis.option].push_back(value_json(value));
    }
  }
  json["cells"] = nlohmann::ordered_json::array();
  for (std::size_t i = 0; i < sweep.cells.size(); ++i) {
    const SweepCell& cell = sweep.cells[i];
    const SweepPlan::Cell& places = plan.cells[i];
    const Work& evaluation = plan.works[places.evaluation];
    nlohmann::ordered_json axes = nlohmann::ordered_json::object();
    for (std::size_t k = 0; k < sweep.axes.size(); ++k) {
      axes[sweep.axes[k].option] = value_json(sweep.axes[k].values[cell.place[k]]);
    }
    const auto [status, error] = status_of(evaluation, out);
    json["cells"].push_back({{"name", cell.name},
                             {"axes", axes},
                             {"method", cell.method},
                             {"task", cell.task},
                             {"run", evaluation.name},
                             {"trained", places.training ? plan.works[*places.training].name : ""},
                             {"baseline", plan.works[places.baseline].name},
                             {"results", RunPaths{evaluation.name}.results().string()},
                             {"status", status},
                             {"error", error},
                             {"settings_hash", evaluation.hash}});
  }
  return json;
}

std::string sweep_csv(const Sweep& sweep, const SweepPlan& plan, const std::filesystem::path& out) {
  std::string text = "cell,status";
  for (const SweepAxis& axis : sweep.axes) text += "," + axis.option;
  text +=
      ",method,questions,samples,nll_per_token,nll_low,nll_high,nll_relative,nll_relative_low,"
      "nll_relative_high,accuracy,standard_error,sd_over_seeds,mcnemar_p,mean_new_tokens,"
      "settings_hash,prompt_hash,backbone_hash,assistant_hash,trained_hash\n";
  constexpr std::size_t kFigures = 14;
  for (std::size_t i = 0; i < sweep.cells.size(); ++i) {
    const SweepCell& cell = sweep.cells[i];
    const Work& work = plan.works[plan.cells[i].evaluation];
    const std::string status = status_of(work, out).first;
    std::string head = csv_field(cell.name) + "," + status;
    for (std::size_t k = 0; k < sweep.axes.size(); ++k) {
      head += "," + csv_field(sweep.axes[k].values[cell.place[k]]);
    }
    const auto file = RunPaths{out / work.name}.results();
    if (status != "done" || !std::filesystem::exists(file)) {
      text += head + std::string(kFigures, ',') + "," + work.hash + ",,,,\n";
      continue;
    }
    const auto json = read_json_file(file);
    const Provenance made = provenance_from_json(json, file.string());
    std::string hashes = work.hash + "," + made.prompt_hash;
    for (const char* model : {"backbone", "assistant", "trained"}) {
      const auto found = made.model_hashes.find(model);
      hashes += "," + (found == made.model_hashes.end() ? std::string() : found->second);
    }
    for (const MethodResult& row : comparison_from_json(json, file.string()).rows) {
      text += fmt::format("{},{},{}\n", head, figures(row), hashes);
    }
  }
  return text;
}

}  // namespace softcot
