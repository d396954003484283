#include "launch/sweep/sweep_plan.h"

#include <algorithm>
#include <initializer_list>
#include <map>
#include <set>
#include <string_view>

#include "launch/run/deciding_options.h"
#include "launch/run/method.h"
#include "runtime/hash.h"

namespace softcot {
namespace {

bool in_sections(const std::string& name, std::initializer_list<std::string_view> sections) {
  const std::string_view section = std::string_view(name).substr(0, name.find('.'));
  return std::find(sections.begin(), sections.end(), section) != sections.end();
}

/// Of which questions a work is.
enum class Questions { kTraining, kHeldOut, kBoth };

bool of_questions(const std::string& name, const Settings& all, Questions which) {
  if (!name.starts_with("data.")) return false;
  if (which == Questions::kBoth || name == "data.task" || name == "data.max-length" ||
      name == "data.on-long-row") {
    return true;
  }
  const bool shared = all.at("data.train-share") != "1";
  if (shared && (name == "data.train-share" || name == "data.file")) return true;
  return name.starts_with("data.eval-") == (which == Questions::kHeldOut) &&
         name != "data.train-share";
}

Settings chosen(const Settings& all, const auto& wanted) {
  Settings some;
  for (const auto& [name, value] : all) {
    if (in_sections(name, {"run", "parallel", "stop"}) || wanted(name)) some[name] = value;
  }
  return some;
}

/// What the assistant's states about the questions depend on.
Settings thought_settings(const Settings& all, Questions which, const std::string& count) {
  Settings some = chosen(all, [&](const std::string& name) {
    return in_sections(name, {"assistant", "prompts"}) || of_questions(name, all, which) ||
           name == "thoughts.prompt" || name == "thoughts.stored" || name == "thoughts.cache" ||
           (name == "train.compat" && which == Questions::kTraining);
  });
  if (some["assistant.path"].empty()) some["assistant.path"] = all.at("model.path");
  some["model.path"] = some["assistant.path"];
  some["thoughts.count"] = count;
  return some;
}

/// What the assistant's words about the held-out questions depend on.
Settings text_settings(const Settings& all, const std::string& count) {
  Settings some = thought_settings(all, Questions::kHeldOut, count);
  for (const char* name : {"thoughts.stored", "thoughts.prompt"}) some.erase(name);
  some["evaluate.methods"] = "zero_shot_cot,zero_shot_assist_cot";
  some["thoughts.written-temperature"] = all.at("thoughts.written-temperature");
  if (all.at("thoughts.written-temperature") != "0") {
    some["evaluate.seed"] = all.at("evaluate.seed");
  }
  return some;
}

/// Whether a training reads held-out questions. Their evaluation comes anyway.
bool holds_out(const Settings& all) {
  return all.at("train.eval-every") != "0" || all.at("data.train-share") != "1";
}

Settings training_settings(const Settings& all, const Method& method) {
  const Questions which = holds_out(all) ? Questions::kBoth : Questions::kTraining;
  return chosen(all, [&](const std::string& name) {
    if (name == "thoughts.count") return method.placeholders;
    if (name == "thoughts.eval-count" || name == "thoughts.written-temperature") return false;
    if (in_sections(name, {"assistant", "thoughts"})) return method.projection;
    if (in_sections(name, {"lora"})) return method.lora;
    if (in_sections(name, {"coconut"})) return method.coconut;
    return in_sections(name, {"model", "prompts", "train"}) || of_questions(name, all, which);
  });
}

Settings evaluation_settings(const Settings& all, const Method& method) {
  Settings some = chosen(all, [&](const std::string& name) {
    if (name == "thoughts.written-temperature") return method.written;
    if (name == "thoughts.cache" || name == "assistant.path" || name == "assistant.layers" ||
        name == "assistant.dtype") {
      return method.projection || method.written;
    }
    if (name == "thoughts.prompt") return true;  // Samples know all words of the prompt file.
    if (name == "thoughts.stored") return method.projection;
    return in_sections(name, {"model", "prompts", "evaluate"}) ||
           of_questions(name, all, method.trained() ? Questions::kBoth : Questions::kHeldOut);
  });
  some["evaluate.methods"] = "zero_shot_cot";
  if (std::string_view(method.name) != "zero_shot_cot") {
    some["evaluate.methods"] += std::string(",") + method.name;
  }
  if (method.trained()) some["train.method"] = method.name;
  // A seed that decides nothing makes no other samples.
  const Settings decide = deciding(all, {method.name});
  std::erase_if(some, [&](const auto& item) {
    const std::string& name = item.first;
    return in_sections(name, {"evaluate"}) && changes_results(name) && !decide.contains(name) &&
           name != "evaluate.methods";
  });
  if (method.placeholders || method.written) {
    const std::string& trained = all.at("thoughts.count");
    const std::string& tested = all.at("thoughts.eval-count");
    const bool other = tested != "0" && (tested != trained || !method.trained());
    if (other) some["thoughts.eval-count"] = tested;
    if (!other || method.trained()) some["thoughts.count"] = trained;
  }
  return some;
}

std::string hash_of(const char* kind, Settings settings, const std::string& more = "") {
  std::erase_if(settings, [](const auto& item) { return !changes_results(item.first); });
  return hash_bytes(std::string(SOFTCOT_VERSION) + "\n" + kind + "\n" + config_text(settings) +
                    more);
}

class Planner {
 public:
  Planner(const Sweep& sweep, const std::filesystem::path& out) : sweep_(sweep), out_(out) {}

  SweepPlan plan() {
    find_longest();
    for (const SweepCell& cell : sweep_.cells) {
      SweepPlan::Cell& places = plan_.cells.emplace_back();
      const Method& method = method_of(cell.method);
      places.baseline = add_evaluation(cell, method_of("zero_shot_cot"), std::nullopt, {});
      if (method.trained()) places.training = add_training(cell, method);
      places.evaluation = cell.method == "zero_shot_cot"
                              ? places.baseline
                              : add_evaluation(cell, method, places.training, places.baseline);
      ++plan_.works[places.evaluation].cells;
    }
    return std::move(plan_);
  }

 private:
  /// An assistant that is not told N makes the first of more thoughts as it makes fewer: the
  /// largest N serves all.
  void find_longest() {
    for (const SweepCell& cell : sweep_.cells) {
      if (!method_of(cell.method).projection) continue;
      for (const Questions which : {Questions::kTraining, Questions::kHeldOut}) {
        std::string& longest = longest_[thought_hash(cell, which, "")];
        for (const char* option : {"thoughts.count", "thoughts.eval-count"}) {
          const std::string& count = cell.settings.at(option);
          if (which == Questions::kTraining && option != std::string_view("thoughts.count"))
            continue;
          if (longest.empty() || std::stoll(count) > std::stoll(longest)) longest = count;
        }
      }
    }
  }

  static std::string thought_hash(const SweepCell& cell, Questions which,
                                  const std::string& count) {
    return hash_of(which == Questions::kTraining ? "train" : "eval",
                   thought_settings(cell.settings, which, count));
  }

  std::size_t add_thoughts(const SweepCell& cell, Questions which, std::string count) {
    if (cell.settings.at("thoughts.prompt") == "uncounted") {
      count = longest_.at(thought_hash(cell, which, ""));
    }
    const char* split = which == Questions::kTraining ? "train" : "eval";
    Work work{.hash = thought_hash(cell, which, count), .cells = 0};
    return add(SweepPart::kThoughts, cell, std::move(work), std::string(split) + "-n" + count,
               thought_settings(cell.settings, which, count),
               {{"precompute", kWorkConfig, {"--only", split}}});
  }

  std::size_t add_texts(const SweepCell& cell, const std::string& count) {
    const Settings settings = text_settings(cell.settings, count);
    Work work{.hash = hash_of("texts", settings), .cells = 0};
    return add(SweepPart::kTexts, cell, std::move(work), "texts-n" + count, settings,
               {{"precompute", kWorkConfig, {"--only", "texts"}}});
  }

  std::size_t add_training(const SweepCell& cell, const Method& method) {
    const Settings settings = training_settings(cell.settings, method);
    const Settings deciding = deciding_training(cell.settings, method);
    Work work{.hash = hash_of("training", deciding, method.name), .cells = 0};
    if (method.projection) {
      const std::string& count = cell.settings.at("thoughts.count");
      work.needs = {add_thoughts(cell, Questions::kTraining, count)};
      if (holds_out(cell.settings)) {
        work.needs.push_back(add_thoughts(cell, Questions::kHeldOut, count));
      }
    }
    return add(SweepPart::kTraining, cell, std::move(work), method.name, settings,
               {{"train", kWorkConfig, {"--resume"}}}, deciding);
  }

  std::size_t add_evaluation(const SweepCell& cell, const Method& method,
                             std::optional<std::size_t> training,
                             std::optional<std::size_t> baseline) {
    const Settings settings = evaluation_settings(cell.settings, method);
    Work work{.hash = hash_of("evaluation", settings,
                              training ? plan_.works[*training].hash : std::string()),
              .cells = 0};
    work.baseline = baseline;
    if (training) work.needs.push_back(*training);
    if (baseline) work.needs.push_back(*baseline);
    const auto tested = settings.find("thoughts.eval-count");
    if (method.projection || method.written) {
      const std::string& count =
          tested == settings.end() ? settings.at("thoughts.count") : tested->second;
      work.needs.push_back(method.written ? add_texts(cell, count)
                                          : add_thoughts(cell, Questions::kHeldOut, count));
    }
    Settings config = settings;
    if (training) config["evaluate.trained"] = (out_ / plan_.works[*training].name).string();
    Settings named = settings;  // What its training depends on tells it from others, too.
    if (training) named.merge(deciding_training(cell.settings, method));
    return add(SweepPart::kEvaluation, cell, std::move(work), method.name, std::move(config),
               {{"evaluate", kWorkConfig}}, named);
  }

  /// The position of the work of this hash, made from `settings` as a cell of this sweep has them.
  std::size_t add(SweepPart part, const SweepCell& cell, Work work, std::string name,
                  Settings settings, std::vector<WorkStep> steps,
                  const std::optional<Settings>& named = {}) {
    const auto known = known_.find(work.hash);
    if (known != known_.end()) return known->second;
    const char* parent = part == SweepPart::kEvaluation ? "cells/"
                         : part == SweepPart::kTraining ? "trained/"
                                                        : "thoughts/";
    name = parent + name +
           labels(cell, named ? *named : settings,
                  part == SweepPart::kThoughts || part == SweepPart::kTexts);
    while (!names_.insert(name).second) name += "+";
    work.name = name;
    settings["run.folder"] = (out_ / name).string();
    work.configs.emplace_back(kWorkConfig, std::move(settings));
    work.steps = std::move(steps);
    plan_.works.push_back(std::move(work));
    plan_.parts.push_back(part);
    return known_[plan_.works.back().hash] = plan_.works.size() - 1;
  }

  /// Those of the cell's labels that the settings depend on.
  std::string labels(const SweepCell& cell, const Settings& settings, bool count_is_named) const {
    std::string text;
    for (std::size_t i = 0; i < sweep_.axes.size(); ++i) {
      const std::string& option = sweep_.axes[i].option;
      if (!settings.contains(option) || option == "train.method") continue;
      if (count_is_named && option == "thoughts.count") continue;
      text += "-" + sweep_.axes[i].labels[cell.place[i]];
    }
    return text;
  }

  const Sweep& sweep_;
  std::filesystem::path out_;
  SweepPlan plan_;
  std::map<std::string, std::size_t> known_;    // By hash.
  std::map<std::string, std::string> longest_;  // N, by the hash of all else.
  std::set<std::string> names_;
};

}  // namespace

SweepPlan plan_sweep(const Sweep& sweep, const std::filesystem::path& out) {
  return Planner(sweep, out).plan();
}

}  // namespace softcot
