#include "launch/sweep/sweep_check.h"

#include <fmt/format.h>

#include <map>
#include <optional>
#include <set>

#include "launch/run/method.h"
#include "model/model_config.h"

namespace softcot {
namespace {

class Checker {
 public:
  void check(const SweepCell& cell) {
    if (cell.settings.empty()) return;  // It has been refused already.
    const Method& method = method_of(cell.method);
    const auto text = [&](const char* option) { return cell.settings.at(option); };
    const auto number = [&](const char* option) { return std::stoll(cell.settings.at(option)); };
    const auto problem = [&](const char* what, const char* option, const std::string& expected) {
      add({.what = what,
           .where = fmt::format("cell {}: {}", cell.name, option),
           .expected = expected,
           .got = text(option),
           .fix = {}});
    };
    const auto config = model(cell, "model.path");
    const auto& path = text("assistant.path");
    const bool assisted = method.projection || method.written;
    const auto assistant = assisted && !path.empty() ? model(cell, "assistant.path") : config;
    if (assisted && assistant && number("assistant.layers") > assistant->layers) {
      problem("more layers than the assistant has", "assistant.layers",
              fmt::format("at most {}", assistant->layers));
    }
    if (method.placeholders || method.written) {
      const char* used =
          number("thoughts.eval-count") > 0 ? "thoughts.eval-count" : "thoughts.count";
      for (const char* option : {"thoughts.count", used}) {
        for (const auto& read : {config, assistant}) {
          if (!read || number(option) < read->max_positions) continue;
          problem("more thoughts than the model has positions", option,
                  fmt::format("below {}", read->max_positions));
        }
        if (number(option) < number("data.max-length")) continue;
        problem("more thoughts than a row may have tokens", option,
                fmt::format("below data.max-length, {}", text("data.max-length")));
      }
      if (method.task_vectors && number("thoughts.eval-count") > number("thoughts.count")) {
        problem("more thoughts than vectors are trained", "thoughts.eval-count",
                fmt::format("at most {}", text("thoughts.count")));
      }
    }
    for (const char* option : {"prompts.file", "data.eval-file", "data.file"}) {
      if (text(option).empty() || std::filesystem::exists(text(option))) continue;
      problem("no such file", option, "");
    }
  }

  std::vector<Problem> take() { return std::move(problems_); }

 private:
  std::optional<ModelConfig> model(const SweepCell& cell, const char* option) {
    const std::string& path = cell.settings.at(option);
    const auto known = models_.find(path);
    if (known != models_.end()) return known->second;
    try {
      models_[path] = read_model_config(path);
    } catch (const Error& error) {
      models_[path] = std::nullopt;
      Problem found = error.problem();
      found.where = fmt::format("cell {}: {}: {}", cell.name, option, found.where);
      add(found);
    }
    return models_[path];
  }

  void add(const Problem& problem) {
    if (seen_.insert(problem.what + "\n" + problem.got).second) problems_.push_back(problem);
  }

  std::map<std::string, std::optional<ModelConfig>> models_;
  std::set<std::string> seen_;
  std::vector<Problem> problems_;
};

}  // namespace

std::vector<Problem> problems_of_models(const Sweep& sweep) {
  Checker checker;
  for (const SweepCell& cell : sweep.cells) checker.check(cell);
  return checker.take();
}

}  // namespace softcot
