#include "launch/run/contestant.h"

#include <fmt/format.h>

#include <algorithm>

#include "launch/run/trained_model.h"

namespace softcot {
namespace {

/// The method itself, or what became of it stage after stage.
std::vector<Contestant> contestants_of(const RunOptions& run, const std::string& name) {
  const Method& method = method_of(name);
  const auto& greedy = run.evaluate.also_greedy;
  if (!method.coconut) {
    std::vector<Contestant> all = {{&method, method.name, method.title, std::nullopt}};
    if (std::find(greedy.begin(), greedy.end(), name) != greedy.end()) {
      all.push_back(
          {&method, name + "-greedy", fmt::format("{}, greedy", method.title), std::nullopt, true});
    }
    return all;
  }
  std::vector<Contestant> all;
  for (const Stage& stage :
       stages_of(load_trained(trained_folder(run), read_model_config(run.model.path)))) {
    all.push_back({&method, fmt::format("{}-stage-{}", name, stage.number),
                   fmt::format("{}, stage {}", method.title, stage.number), stage});
  }
  all.back().name = method.name;
  all.back().title = method.title;
  if (!run.evaluate.every_stage) all.erase(all.begin(), all.end() - 1);
  return all;
}

/// The ways in which evaluate.compat wants each method scored.
std::vector<ScoringQuirks> ways_of(const std::vector<std::string>& compat,
                                   const std::string& task) {
  std::vector<ScoringQuirks> ways;
  const auto quirks = quirks_of<ScoringQuirks>(compat, task);
  const bool strict = std::find(compat.begin(), compat.end(), "strict") != compat.end();
  if (strict || quirks == ScoringQuirks{}) ways.emplace_back();
  if (quirks != ScoringQuirks{}) ways.push_back(quirks);
  return ways;
}

}  // namespace

const std::filesystem::path& trained_folder(const RunOptions& run) {
  return run.evaluate.trained.empty() ? run.folder : run.evaluate.trained;
}

std::vector<Contestant> all_contestants(const RunOptions& run) {
  const std::string baseline = "zero_shot_cot";
  std::vector<Contestant> all;
  for (const ScoringQuirks& quirks : ways_of(run.evaluate.compat, run.data.task)) {
    for (const auto& method : run.evaluate.methods) {
      for (Contestant contestant : contestants_of(run, method)) {
        contestant.baseline = baseline;
        if (quirks != ScoringQuirks{}) {
          const std::string name = quirks_name(quirks);
          contestant.name += "-" + name;
          contestant.title += fmt::format(" ({} scoring)", name);
          contestant.baseline += "-" + name;
          contestant.quirks = quirks;
        }
        all.push_back(std::move(contestant));
      }
    }
  }
  return all;
}

}  // namespace softcot
