#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "evaluation/result_table.h"
#include "runtime/atomic_file.h"
#include "runtime/error.h"
#include "runtime/json_file.h"
#include "runtime/sealed_json.h"

namespace softcot {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kSchema = "softcot-results/1";
constexpr std::array kExtractors = {Extractor::kStrict, Extractor::kFlexible,
                                    Extractor::kReference};

Json to_json(const Interval& interval) { return Json::array({interval.low, interval.high}); }

Json to_json(const Estimate& estimate) {
  return {{"value", estimate.value}, {"interval", to_json(estimate.interval)}};
}

Json to_json(const Accuracy& accuracy) {
  return {{"value", accuracy.value},
          {"standard_error", accuracy.standard_error},
          {"interval95", to_json(accuracy.interval95)}};
}

Json to_json(const Contrast& contrast) {
  Json json = {
      {"questions", contrast.questions},  {"votes", contrast.votes},
      {"only_this_right", Json::array()}, {"only_baseline_right", Json::array()},
      {"mcnemar_p", contrast.mcnemar_p},  {"accuracy_difference", to_json(contrast.accuracy)},
      {"lines", contrast.lines},          {"holm_p", contrast.holm_p}};
  for (const Discordance& seed : contrast.seeds) {
    json["only_this_right"].push_back(seed.only_left);
    json["only_baseline_right"].push_back(seed.only_right);
  }
  if (contrast.nll) {
    json["nll_difference"] = to_json(contrast.nll->difference);
    json["nll_relative"] = to_json(contrast.nll->relative);
  }
  if (contrast.nll_of_all) json["nll_relative_of_all"] = to_json(*contrast.nll_of_all);
  return json;
}

std::vector<std::string> quirk_list(const ScoringQuirks& quirks) {
  std::vector<std::string> names;
  for (const auto& quirk : all_quirks<ScoringQuirks>()) {
    if (quirks.*quirk.flag) names.emplace_back(quirk.name);
  }
  return names;
}

Json to_json(const MethodResult& row) {
  Json json = {{"method", row.method},
               {"title", row.title},
               {"questions", row.questions},
               {"samples", row.samples},
               {"mean_new_tokens", row.mean_new_tokens},
               {"truncated", row.truncated}};
  if (row.skipped > 0) json["skipped_questions"] = row.skipped;
  if (row.quirks != ScoringQuirks{}) json["compat"] = quirk_list(row.quirks);
  json["baseline"] = row.baseline;
  if (row.nll_per_token) json["nll_per_token"] = to_json(*row.nll_per_token);
  for (const auto& [name, accuracy] : row.accuracy) json["accuracy"][name] = to_json(accuracy);
  if (row.majority_class) {
    json["majority_class"] = {{"answer", row.majority_class->answer},
                              {"share", row.majority_class->share}};
  }
  if (row.over_seeds.count > 0) {
    json["over_seeds"] = {{"seeds", row.over_seeds.count}, {"mean", row.over_seeds.mean}};
    if (row.over_seeds.deviation) json["over_seeds"]["deviation"] = *row.over_seeds.deviation;
  }
  if (row.voting) {
    json["majority_vote"] = row.voting->majority;
    json["pass_at"] = row.voting->pass;
  }
  if (!row.training_nll.empty()) json["training_nll_per_token"] = row.training_nll;
  if (row.contrast) json["against_baseline"] = to_json(*row.contrast);
  return json;
}

// One object of results.json with the words for errors about it.
class Reader {
 public:
  Reader(const nlohmann::json& json, const std::string& where) : json_(json), where_(where) {}

  template <typename T>
  T get(const char* key) const {
    return require<T>(json_, key, where_);
  }
  bool has(const char* key) const { return json_.is_object() && json_.contains(key); }
  Reader at(const char* key) const {
    require<nlohmann::json>(json_, key, where_);
    return {json_.at(key), where_ + " " + key};
  }
  Interval interval(const char* key) const {
    const auto ends = get<std::vector<double>>(key);
    if (ends.size() != 2) refuse(key, "an interval of two numbers");
    return {ends[0], ends[1]};
  }
  Estimate estimate(const char* key) const {
    const Reader part = at(key);
    return {part.get<double>("value"), part.interval("interval")};
  }
  /// One for each seed; before there was a list it was that of the first.
  std::vector<std::size_t> counts(const char* key) const {
    if (has(key) && json_.at(key).is_number()) return {get<std::size_t>(key)};
    return get<std::vector<std::size_t>>(key);
  }
  std::map<std::string, std::string> texts(const char* key) const {
    std::map<std::string, std::string> texts;
    const Reader part = at(key);
    for (const auto& [name, value] : part.json_.items())
      texts[name] = part.get<std::string>(name.c_str());
    return texts;
  }
  std::map<std::string, std::int64_t> numbers(const char* key) const {
    std::map<std::string, std::int64_t> numbers;
    const Reader part = at(key);
    for (const auto& [name, value] : part.json_.items())
      numbers[name] = part.get<std::int64_t>(name.c_str());
    return numbers;
  }

  [[noreturn]] void refuse(const char* key, const char* expected) const {
    fail(ExitCode::kInput, {.what = "figures that contradict themselves",
                            .where = where_ + " " + key,
                            .expected = expected});
  }

 private:
  const nlohmann::json& json_;
  std::string where_;
};

Contrast to_contrast(const Reader& reader) {
  Contrast contrast;
  contrast.questions = reader.get<std::size_t>("questions");
  const auto only_this = reader.counts("only_this_right");
  const auto only_baseline = reader.counts("only_baseline_right");
  for (std::size_t i = 0; i < std::min(only_this.size(), only_baseline.size()); ++i) {
    contrast.seeds.push_back({only_this[i], only_baseline[i]});
  }
  contrast.mcnemar_p = reader.get<double>("mcnemar_p");
  if (reader.has("votes")) contrast.votes = reader.get<std::size_t>("votes");
  if (reader.has("accuracy_difference")) contrast.accuracy = reader.estimate("accuracy_difference");
  if (reader.has("nll_difference")) {
    contrast.nll = {reader.estimate("nll_difference"), reader.estimate("nll_relative")};
  }
  if (reader.has("nll_relative_of_all"))
    contrast.nll_of_all = reader.interval("nll_relative_of_all");
  return contrast;
}

MethodResult to_row(const Reader& reader, const std::string& baseline) {
  MethodResult row;
  row.baseline = reader.has("baseline") ? reader.get<std::string>("baseline") : baseline;
  if (reader.has("compat")) {
    row.quirks = quirks_of<ScoringQuirks>(reader.get<std::vector<std::string>>("compat"), "");
  }
  row.method = reader.get<std::string>("method");
  row.title = reader.get<std::string>("title");
  row.questions = reader.get<std::size_t>("questions");
  if (reader.has("skipped_questions")) row.skipped = reader.get<std::size_t>("skipped_questions");
  row.samples = reader.get<std::size_t>("samples");
  row.mean_new_tokens = reader.get<double>("mean_new_tokens");
  row.truncated = reader.get<std::size_t>("truncated");
  if (reader.has("nll_per_token")) row.nll_per_token = reader.estimate("nll_per_token");
  const Reader accuracies = reader.at("accuracy");
  for (const Extractor extractor : kExtractors) {
    const std::string name(extractor_name(extractor));
    const Reader accuracy = accuracies.at(name.c_str());
    row.accuracy[name] = {accuracy.get<double>("value"), accuracy.get<double>("standard_error"),
                          accuracy.interval("interval95")};
  }
  if (reader.has("majority_class")) {
    const Reader majority = reader.at("majority_class");
    row.majority_class = {majority.get<std::string>("answer"), majority.get<double>("share")};
  }
  if (reader.has("over_seeds")) {
    const Reader seeds = reader.at("over_seeds");
    row.over_seeds = {.count = seeds.get<std::size_t>("seeds"),
                      .mean = seeds.get<double>("mean"),
                      .deviation = {}};
    if (seeds.has("deviation")) row.over_seeds.deviation = seeds.get<double>("deviation");
  }
  if (reader.has("majority_vote")) {
    row.voting = {reader.get<std::vector<double>>("majority_vote"),
                  reader.get<std::vector<double>>("pass_at")};
    if (row.voting->majority.empty() || row.voting->majority.size() != row.voting->pass.size()) {
      reader.refuse("majority_vote", "as many figures as pass_at, at least one");
    }
  }
  if (reader.has("training_nll_per_token")) {
    row.training_nll = reader.get<std::vector<double>>("training_nll_per_token");
  }
  if (reader.has("against_baseline")) row.contrast = to_contrast(reader.at("against_baseline"));
  return row;
}

Extractor extractor_of(const std::string& name, const std::string& where) {
  for (const Extractor extractor : kExtractors) {
    if (extractor_name(extractor) == name) return extractor;
  }
  fail(ExitCode::kInput, {.what = "unknown extractor",
                          .where = where,
                          .expected = "strict, flexible or reference",
                          .got = name});
}

}  // namespace

Json results_to_json(const Comparison& comparison, const Provenance& provenance) {
  Json json = {{"schema", kSchema},
               {"extractor_version", kExtractorVersion},
               {"headline_extractor", extractor_name(comparison.options.headline)},
               {"vote", comparison.options.vote == VoteRule::kStrict ? "strict" : "reference"},
               {"baseline", comparison.options.baseline},
               {"bootstrap",
                {{"seed", comparison.options.bootstrap.seed},
                 {"resamples", comparison.options.bootstrap.resamples},
                 {"level", comparison.options.bootstrap.level}}},
               {"methods", Json::array()}};
  for (const MethodResult& row : comparison.rows) json["methods"].push_back(to_json(row));
  json["task"] = provenance.task;
  json["trained_on"] = provenance.trained_on;
  json["config_hash"] = provenance.config_hash;
  json["prompt_hash"] = provenance.prompt_hash;
  json["model_hashes"] = Json(provenance.model_hashes);
  json["versions"] = Json(provenance.versions);
  json["trained_parameters"] = provenance.trained_parameters;
  json["data_hashes"] = Json(provenance.data_hashes);
  json["parameters"] = Json(provenance.parameters);
  return json;
}

Comparison comparison_from_json(const nlohmann::json& json, const std::string& where) {
  const Reader reader(json, where);
  if (const auto schema = reader.get<std::string>("schema"); schema != kSchema) {
    fail(
        ExitCode::kInput,
        {.what = "results of another version", .where = where, .expected = kSchema, .got = schema});
  }
  Comparison comparison;
  comparison.options.baseline = reader.get<std::string>("baseline");
  comparison.options.headline = extractor_of(reader.get<std::string>("headline_extractor"), where);
  if (reader.has("vote") && reader.get<std::string>("vote") == "reference") {
    comparison.options.vote = VoteRule::kReference;
  }
  const Reader bootstrap = reader.at("bootstrap");
  comparison.options.bootstrap = {.seed = bootstrap.get<std::uint64_t>("seed"),
                                  .resamples = bootstrap.get<std::size_t>("resamples"),
                                  .level = bootstrap.get<double>("level")};
  const auto methods = reader.get<std::vector<nlohmann::json>>("methods");
  for (std::size_t i = 0; i < methods.size(); ++i) {
    const std::string place = where + " method " + std::to_string(i);
    comparison.rows.push_back(to_row({methods[i], place}, comparison.options.baseline));
  }
  for (const MethodResult& row : comparison.rows) {
    if (!row.contrast || !row.contrast->nll) continue;
    const MethodResult* baseline = row_of(comparison, row.baseline);
    if (!row.nll_per_token || (baseline != nullptr && !baseline->nll_per_token)) {
      reader.refuse("methods", "an nll_per_token of each method with an nll_difference");
    }
  }
  correct_for_lines(comparison);  // Also of what was written before there was such a thing.
  return comparison;
}

Provenance provenance_from_json(const nlohmann::json& json, const std::string& where) {
  const Reader reader(json, where);
  const auto text = [&](const char* key) {
    return reader.has(key) ? reader.get<std::string>(key) : "";
  };
  return {.task = text("task"),
          .trained_on = text("trained_on"),
          .config_hash = reader.get<std::string>("config_hash"),
          .prompt_hash = reader.get<std::string>("prompt_hash"),
          .model_hashes = reader.texts("model_hashes"),
          .versions = reader.texts("versions"),
          .trained_parameters = reader.get<std::vector<std::string>>("trained_parameters"),
          .data_hashes = reader.has("data_hashes") ? reader.texts("data_hashes")
                                                   : std::map<std::string, std::string>(),
          .parameters = reader.has("parameters") ? reader.numbers("parameters")
                                                 : std::map<std::string, std::int64_t>()};
}

void write_results(const std::filesystem::path& path, const Comparison& comparison,
                   const Provenance& provenance) {
  const Json results = results_to_json(comparison, provenance);
  write_file_atomically(path, seal_json(json_text(results, 2)) + "\n");
  auto table = path;
  write_file_atomically(table.replace_extension(".csv"), format_csv(comparison));
  write_file_atomically(table.replace_extension(".md"), format_markdown(comparison));
}

}  // namespace softcot
