#include <fmt/format.h>
#include <fmt/ranges.h>

#include "evaluation/figure_text.h"
#include "launch/sweep/suite_table.h"

namespace softcot {

std::string suite_csv(const SuiteTable& table) {
  std::string out =
      "task,method,trained_on,thoughts,parameters,questions,seeds,nll_per_token,nll_relative,"
      "nll_relative_low,nll_relative_high,accuracy,standard_error,sd_over_seeds,majority_vote,"
      "mcnemar_p,published_percent,samples\n";
  const auto number = [](double value) { return fmt::format("{:.6g}", value); };
  for (const SuiteRow& row : table.rows) {
    std::vector<std::string> fields = {row.task, csv_field(row.entry.name()), row.trained_on,
                                       row.thoughts, row.parameters()};
    if (row.result) {
      const MethodResult& result = *row.result;
      fields.push_back(std::to_string(result.questions));
      fields.push_back(std::to_string(result.over_seeds.count));
      fields.push_back(result.nll_per_token ? number(result.nll_per_token->value) : "");
      const Estimate* change = nll_change(result);
      fields.push_back(change ? number(change->value) : "");
      fields.push_back(change ? number(change->interval.low) : "");
      fields.push_back(change ? number(change->interval.high) : "");
      const Accuracy& accuracy = headline_accuracy(result);
      fields.push_back(number(accuracy.value));
      fields.push_back(number(accuracy.standard_error));
      const auto& deviation = result.over_seeds.deviation;
      fields.push_back(deviation ? number(*deviation) : "");
      fields.push_back(result.voting ? number(result.voting->majority.back()) : "");
      fields.push_back(result.contrast ? number(result.contrast->mcnemar_p) : "");
    }
    fields.resize(16);
    fields.push_back(row.published ? fmt::format("{}", *row.published) : "");
    fields.push_back(row.samples);
    out += fmt::format("{}\n", fmt::join(fields, ","));
  }
  return out;
}

nlohmann::ordered_json suite_json(const Suite& suite, const SuiteTable& table) {
  using Json = nlohmann::ordered_json;
  Json json = {{"schema", "softcot-suite/1"}, {"title", suite.title},   {"suite_hash", suite.hash},
               {"version", SOFTCOT_VERSION},  {"source", suite.source}, {"rows", Json::array()},
               {"missing", Json::array()}};
  for (const SuiteRow& row : table.rows) {
    Json line = {{"task", row.task},
                 {"method", row.entry.name()},
                 {"title", row.entry.title},
                 {"trained_on", row.trained_on},
                 {"samples", row.samples},
                 {"thoughts", row.thoughts},
                 {"parameters", row.parameters()},
                 {"runs", Json::array()}};
    for (const SuiteRun& run : row.runs) {
      line["runs"].push_back({{"folder", run.folder},
                              {"settings_hash", run.hash},
                              {"prompt_hash", run.provenance.prompt_hash},
                              {"model_hashes", run.provenance.model_hashes},
                              {"versions", run.provenance.versions},
                              {"trained_parameters", run.provenance.trained_parameters}});
    }
    if (row.published) line["published_percent"] = *row.published;
    if (row.result) {
      const Comparison one{.options = {}, .rows = {*row.result}};
      line["result"] = results_to_json(one, {}).at("methods").at(0);
    }
    json["rows"].push_back(line);
  }
  for (const MissingCell& cell : table.missing) {
    json["missing"].push_back({{"cell", cell.folder}, {"reason", cell.reason}});
  }
  return json;
}

}  // namespace softcot
