#include <fmt/format.h>

#include <algorithm>

#include "launch/run/deciding_options.h"
#include "launch/run/method.h"
#include "launch/sweep/suite.h"
#include "runtime/hash.h"

namespace softcot {

bool SuiteCell::trained() const { return method_of(entry.method).trained(); }

std::string SuiteCell::folder() const {
  std::string name = entry.method;
  if (!entry.variant.empty()) name += "-" + entry.variant;
  name += "-" + task;
  return trained() ? fmt::format("{}-seed{}", name, seed) : name;
}

std::string SuiteCell::hash() const {
  const auto text_of = [](const Settings& all) {
    for (const char* option : {"evaluate.methods", "train.method"}) {
      const auto method = all.find(option);
      if (method != all.end()) return config_text(deciding(all, {method->second}));
    }
    return config_text(all);
  };
  std::string text = std::string(SOFTCOT_VERSION) + "\n" + text_of(settings);
  for (const auto& [other, its_settings] : transfers) text += "\n" + text_of(its_settings);
  return hash_bytes(text);
}

std::string Suite::training_for(const std::string& task) const {
  if (std::find(tasks.begin(), tasks.end(), task) != tasks.end()) return task;
  if (!transfer_from.empty()) return transfer_from;
  for (const PublishedFigure& figure : published) {
    if (figure.task == task && !figure.trained_on.empty()) return figure.trained_on;
  }
  return tasks.size() == 1 ? tasks.front() : "";
}

std::vector<std::string> Suite::all_tasks() const {
  std::vector<std::string> all = tasks;
  for (const std::string& task : transfer) {
    if (std::find(all.begin(), all.end(), task) == all.end()) all.push_back(task);
  }
  return all;
}

}  // namespace softcot
