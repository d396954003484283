#include "launch/run/deciding_options.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace softcot {
namespace {

/// Docs/sweeps.md lists them, too.
constexpr std::array<std::string_view, 12> kDecideNothing = {
    "thoughts.cache",      "train.accumulation",  "train.pack",        "train.target-logits",
    "train.frozen-prefix", "train.shared-prefix", "train.eval-every",  "train.checkpoint-every",
    "train.keep",          "train.keep-every",    "train.tensorboard", "evaluate.batch"};

/// Without a temperature these change no answer.
constexpr std::array<std::string_view, 3> kOfDrawing = {"evaluate.top-k", "evaluate.top-p",
                                                        "evaluate.min-p"};

template <typename Names>
bool is_one_of(const std::string& name, const Names& names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool in_section(const std::string& name, std::string_view section) {
  return name.size() > section.size() && name[section.size()] == '.' && name.starts_with(section);
}

std::string value_or(const Settings& all, const char* option, const char* otherwise) {
  const auto found = all.find(option);
  return found == all.end() ? otherwise : found->second;
}

bool matters_to(const Method& method, const std::string& name) {
  if (name == "thoughts.written-temperature") return method.written;
  if (name == "thoughts.stored") return method.projection;
  if (name == "thoughts.count" || name == "thoughts.eval-count") {
    return method.placeholders || method.written;
  }
  if (in_section(name, "assistant")) return method.projection || method.written;
  if (in_section(name, "lora")) return method.lora;
  if (in_section(name, "coconut")) return method.coconut;
  const bool of_training = in_section(name, "train") || name == "data.file" ||
                           name == "data.offset" || name == "data.limit";
  return method.trained() || !of_training;
}

}  // namespace

bool changes_results(const std::string& option) {
  for (const char* section : {"run", "parallel", "stop"}) {
    if (in_section(option, section)) return false;
  }
  return !is_one_of(option, kDecideNothing);
}

Settings deciding(Settings all, const std::vector<std::string>& methods) {
  // The held-out questions may come from the file to train on.
  const bool shares_file = value_or(all, "data.train-share", "1") != "1";
  const bool by_steps = value_or(all, "train.steps", "0") != "0";
  const bool written = std::any_of(methods.begin(), methods.end(),
                                   [](const auto& name) { return method_of(name).written; });
  const bool draws = value_or(all, "evaluate.temperature", "0") != "0";
  const bool penalizes = value_or(all, "evaluate.repetition-penalty", "1") != "1";
  const bool draws_words = written && value_or(all, "thoughts.written-temperature", "0") != "0";
  std::erase_if(all, [&](const auto& item) {
    const std::string& name = item.first;
    if (!changes_results(name)) return true;
    if (name == "data.file" && shares_file) return false;
    if (name == "train.epochs" && by_steps) return true;
    if (is_one_of(name, kOfDrawing) && !draws) return true;
    if (name == "evaluate.repetition-scope" && !penalizes) return true;
    if (name == "evaluate.seed" && !draws && !draws_words) return true;
    return std::none_of(methods.begin(), methods.end(), [&](const std::string& method) {
      return matters_to(method_of(method), name);
    });
  });
  return all;
}

Settings deciding_training(const Settings& all, const Method& method) {
  if (!method.trained()) return {};
  Settings some = deciding(all, {method.name});
  std::erase_if(some, [](const auto& item) {
    const std::string& name = item.first;
    return in_section(name, "evaluate") || name.starts_with("data.eval-") ||
           name == "thoughts.eval-count" || name == "thoughts.written-temperature" ||
           name == "train.method";
  });
  return some;
}

}  // namespace softcot
