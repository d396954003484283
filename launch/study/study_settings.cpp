#include "launch/study/study_settings.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "launch/run/deciding_options.h"
#include "launch/run/method.h"

namespace softcot {
namespace {

/// Options that a study knows by other means: seeds, tasks, methods, N.
constexpr std::array<std::string_view, 11> kPassedOver = {
    "data.task",       "thoughts.count",   "thoughts.eval-count", "train.method",
    "train.seed",      "evaluate.methods", "evaluate.trained",    "evaluate.also-greedy",
    "evaluate.compat", "evaluate.seed",    "evaluate.every-stage"};

/// Of the training's file: what was trained, and on what.
bool of_training(const std::string& name) {
  for (const char* section : {"train.", "lora.", "coconut."}) {
    if (name.starts_with(section)) return true;
  }
  return name == "data.file" || name == "data.offset" || name == "data.limit";
}

bool passed_over(const Method& method, const std::string& name) {
  if (std::find(kPassedOver.begin(), kPassedOver.end(), name) != kPassedOver.end()) return true;
  return name == "thoughts.prompt" && !method.projection && !method.written;
}

}  // namespace

std::string settings_hash(const Settings& settings) {
  std::string text;
  for (const auto& [name, value] : settings) text += name + "=" + value + "\n";
  return fmt::format("{:016x}", XXH3_64bits(text.data(), text.size()));
}

Settings deciding_settings(const std::string& name, const Settings& evaluation,
                           const Settings& training) {
  const Method& method = method_of(name);
  Settings all;
  for (const auto& [option, value] : evaluation) {
    if (!of_training(option)) all[option] = value;
  }
  for (const auto& [option, value] : training) {
    if (of_training(option)) all[option] = value;
  }
  all = deciding(std::move(all), {name});
  std::erase_if(all, [&](const auto& item) { return passed_over(method, item.first); });
  if (!method.placeholders && !method.written) return all;
  const std::string tested = value_of(evaluation, "thoughts.eval-count");
  const std::string in_use =
      tested.empty() || tested == "0" ? value_of(evaluation, "thoughts.count") : tested;
  const std::string trained = value_of(training, "thoughts.count");
  const bool known = method.trained() && !trained.empty();
  all["thoughts.count"] = known ? trained : in_use;
  if (known && trained != in_use) all["thoughts.eval-count"] = in_use;
  return all;
}

std::string seeds_of(const std::string& name, const Settings& evaluation,
                     const Settings& training) {
  const Method& method = method_of(name);
  std::string seeds;
  if (method.trained()) seeds = "training " + value_of(training, "train.seed");
  const auto sampled = [&](const char* temperature) {
    const std::string value = value_of(evaluation, temperature);
    return !value.empty() && value != "0";
  };
  if (!sampled("evaluate.temperature") &&
      !(method.written && sampled("thoughts.written-temperature"))) {
    return seeds;
  }
  return seeds + (seeds.empty() ? "" : ", ") + "evaluation " +
         value_of(evaluation, "evaluate.seed");
}

}  // namespace softcot
