#include "launch/sweep/sweep.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "launch/options/nearest_name.h"
#include "launch/options/option_sources.h"
#include "launch/run/deciding_options.h"
#include "launch/run/method.h"
#include "launch/sweep/cell_check.h"
#include "launch/sweep/cell_problems.h"
#include "launch/sweep/cell_settings.h"
#include "runtime/hash.h"

namespace softcot {
namespace {

constexpr const char* kMethod = "train.method";
constexpr const char* kTask = "data.task";
constexpr std::size_t kMostCells = 100'000;

/// A value as a part of a file name: of a path its last name.
std::string label_of(const std::string& value) {
  std::string text = value.substr(0, value.find_last_not_of('/') + 1);
  text = text.substr(text.rfind('/') + 1);
  std::replace_if(
      text.begin(), text.end(),
      [](unsigned char c) { return std::isalnum(c) == 0 && c != '.' && c != '_' && c != '-'; },
      '_');
  return text;
}

class SweepReader {
 public:
  SweepReader(OptionSet& options, int ranks)
      : options_(options), file_(options.config().string()), problems_(file_), checker_(ranks) {
    for (const auto& [name, value] : given_settings(options)) {
      const bool of_file = options.origin(name).starts_with(file_ + ":");
      (of_file ? shared_ : overrides_)[name] = value;
      require_free(name, options.origin(name), overrides_.contains(name));
    }
    for (const Assignment& assignment : read_config_file(file_)) sort_in(assignment);
  }

  Sweep read() {
    Sweep sweep;
    sweep.title = title_;
    sweep.axes = axes_;
    name_values(sweep.axes);
    std::size_t count = 1;
    for (const SweepAxis& axis : axes_)
      count = std::min(count * axis.values.size(), kMostCells + 1);
    if (axes_.empty())
      problems_.add("sweep without axes", file_, "a section [axes] with option = values");
    if (count > kMostCells)
      problems_.add("too many cells", file_, fmt::format("at most {}", kMostCells));
    problems_.throw_any();
    for (std::size_t i = 0; i < count; ++i) add_cell(sweep, i);
    require_used();
    std::vector<CellProblem> all;
    for (const Problem& found : problems_.all()) all.push_back({ExitCode::kUsage, found, ""});
    all.insert(all.end(), checker_.problems().begin(), checker_.problems().end());
    throw_any(all);
    return sweep;
  }

 private:
  struct Part {
    Settings settings;
    std::string origin;
    bool used = false;
  };

  void sort_in(const Assignment& assignment) {
    const auto [section, rest] = split_at_dot(assignment.name);
    if (section == "sweep") {
      if (rest != "title")
        problems_.add("unknown key of a sweep", assignment.origin + ": " + rest, "title");
      title_ = assignment.value;
    } else if (section == "axes") {
      add_axis(rest, assignment);
    } else if (section == "task" || section == "method") {
      const auto [name, option] = split_at_dot(rest);
      Part& part = parts_[section][name];
      part.origin = assignment.origin;
      require_known(option, assignment.origin);
      require_free(option, assignment.origin);
      if (option == kMethod || option == kTask) {
        problems_.add("the sweep decides this option",
                      fmt::format("{}, {}", option, assignment.origin));
      }
      part.settings[option] = assignment.value;
    } else if (section == "run") {
      require_free(assignment.name, assignment.origin);
    }
  }

  void add_axis(const std::string& name, const Assignment& assignment) {
    const Option* option = require_known(name, assignment.origin);
    if (option == nullptr) return;
    SweepAxis axis{option->name, split_list(assignment.value), {}};
    require_free(axis.option, assignment.origin);
    if (!changes_results(axis.option)) {
      problems_.add("an axis that changes no result", assignment.origin + ": " + axis.option, "",
                    "set it in its own section, not in [axes]");
    }
    if (axis.values.empty()) {
      problems_.add("axis without values", assignment.origin + ": " + axis.option);
    }
    std::map<std::string, std::string> seen;
    for (const std::string& value : axis.values) {
      const auto [first, fresh] = seen.emplace(spelling(*option, value), value);
      if (fresh) continue;
      problems_.add("value twice", fmt::format("{}: {} and {} of {}", assignment.origin,
                                               first->second, value, axis.option));
    }
    axes_.push_back(std::move(axis));
  }

  /// A value as its option writes it: 4 for 04. What is not legal, as it stands.
  static std::string spelling(const Option& option, const std::string& value) {
    const std::string now = option.binding.text();
    if (!option.binding.assign(value)) return value;
    std::string text = option.binding.text();
    option.binding.assign(now);
    return text;
  }

  Option* require_known(const std::string& name, const std::string& origin) {
    Option* option = options_.find(name);
    if (option != nullptr && !option->section().empty()) return option;
    std::vector<std::string> names;
    for (const Option& each : options_.options()) {
      if (!each.section().empty()) names.push_back(each.name);
    }
    const auto nearest = nearest_name(name, names);
    problems_.add(
        "unknown option", fmt::format("{}, {}", name, origin), "",
        nearest ? fmt::format("did you mean {}?", *nearest) : "softcot sweep --help lists them");
    return nullptr;
  }

  /// What the sweep itself decides; and, beside the file, its axes.
  void require_free(const std::string& option, const std::string& origin, bool beside = false) {
    if (option == "evaluate.methods") {
      problems_.add("the sweep decides this option", fmt::format("{}, {}", option, origin),
                    "it as train.method");
    } else if (option == "evaluate.trained" || option.starts_with("run.")) {
      problems_.add("the sweep decides this option", fmt::format("{}, {}", option, origin));
    }
    if (beside) beside_.emplace_back(option, origin);
  }

  /// Gives each value a label that no other of its axis has, and each axis one of its own.
  static void name_values(std::vector<SweepAxis>& axes) {
    const auto key_of = [](const SweepAxis& axis) {
      return axis.option.substr(axis.option.find('.') + 1);
    };
    std::map<std::string, int> keys;
    for (const SweepAxis& axis : axes) ++keys[key_of(axis)];
    for (SweepAxis& axis : axes) {
      std::string key = key_of(axis);
      const bool speaks = axis.option == kMethod || axis.option == kTask || key == "path";
      if (keys[key] > 1) {
        key = axis.option + "-";
        std::replace(key.begin(), key.end(), '.', '-');
      } else if (speaks) {
        key = "";
      }
      std::set<std::string> taken;
      for (const std::string& value : axis.values) {
        std::string label = label_of(value);
        // The first keeps its name, so that a value more renames none.
        if (!taken.insert(label).second) label += "-" + hash_bytes(value).substr(0, 6);
        axis.labels.push_back(key + label);
      }
    }
  }

  void apply(Settings& settings, const char* kind, const std::string& name) {
    const auto part = parts_[kind].find(normal_name(name));
    if (part == parts_[kind].end()) return;
    part->second.used = true;
    for (const auto& [option, value] : part->second.settings) settings[option] = value;
  }

  void add_cell(Sweep& sweep, std::size_t number) {
    SweepCell cell;
    Settings values;
    cell.place.resize(axes_.size());
    for (std::size_t i = axes_.size(); i-- > 0;) {
      cell.place[i] = number % axes_[i].values.size();
      number /= axes_[i].values.size();
      values[axes_[i].option] = axes_[i].values[cell.place[i]];
      cell.name = sweep.axes[i].labels[cell.place[i]] + (cell.name.empty() ? "" : "-") + cell.name;
    }
    Settings settings = shared_;
    const auto decided = [&](const char* option, const char* otherwise) {
      for (const Settings* from : {&values, &overrides_, &shared_}) {
        if (from->contains(option)) return from->at(option);
      }
      return std::string(otherwise);
    };
    cell.task = decided(kTask, "gsm8k");
    cell.method = decided(kMethod, "softcot");
    apply(settings, "task", cell.task);
    apply(settings, "method", cell.method);
    for (const Settings* from : {&values, &overrides_}) {
      for (const auto& [option, value] : *from) settings[option] = value;
    }
    check(cell, std::move(settings));
    sweep.cells.push_back(std::move(cell));
  }

  /// Fills in the cell's settings.
  void check(SweepCell& cell, Settings settings) {
    try {
      const Method& method = method_of(cell.method);
      const bool thoughts = method.placeholders || method.written;
      const auto count = settings.find("thoughts.count");
      if (count != settings.end() && count->second == "0") {
        if (thoughts) cell.method = method.lora ? "lora" : "zero_shot_cot";
        settings.erase(count);
      }
    } catch (const Error& error) {
      problems_.add_of_cell(cell.name, error.problem());
      return;
    }
    const bool trains = method_of(cell.method).trained();
    settings["evaluate.methods"] = "zero_shot_cot";
    if (cell.method != "zero_shot_cot") settings["evaluate.methods"] += "," + cell.method;
    settings.erase(kMethod);
    if (trains) settings[kMethod] = cell.method;
    CheckedSettings checked = check_cell_settings(settings, trains);
    for (const Problem& found : checked.problems) problems_.add_of_cell(cell.name, found);
    cell.settings = std::move(checked.values);
    if (checked.run) checker_.check(cell.name, method_of(cell.method), trains, *checked.run);
  }

  void require_used() {
    for (const auto& [kind, parts] : parts_) {
      for (const auto& [name, part] : parts) {
        if (!part.used)
          problems_.add(fmt::format("section for a {} of no cell", kind), part.origin);
        for (const auto& [option, value] : part.settings) require_no_axis(option, part.origin);
      }
    }
    for (const auto& [option, origin] : beside_) require_no_axis(option, origin);
    for (const auto& [option, value] : shared_) require_no_axis(option, options_.origin(option));
  }

  void require_no_axis(const std::string& option, const std::string& origin) {
    const auto is_it = [&](const SweepAxis& axis) { return axis.option == option; };
    if (std::any_of(axes_.begin(), axes_.end(), is_it)) {
      problems_.add("an axis decides this option", fmt::format("{}, {}", option, origin), "",
                    "leave it out here, or in [axes]");
    }
  }

  OptionSet& options_;
  std::string file_;
  CellProblems problems_;
  CellChecker checker_;
  std::string title_;
  Settings shared_;
  Settings overrides_;
  std::vector<std::pair<std::string, std::string>> beside_;  // Overrides and where they are from.
  std::map<std::string, std::map<std::string, Part>> parts_;
  std::vector<SweepAxis> axes_;
};

}  // namespace

std::string Sweep::hash() const {
  std::string text;
  for (const SweepAxis& axis : axes) {
    text += axis.option;
    for (const std::string& value : axis.values) text += "\n " + value;
    text += "\n";
  }
  for (const SweepCell& cell : cells) text += cell.method + "\n" + config_text(cell.settings);
  return hash_bytes(text);
}

void add_sweep_sections(OptionSet& options) {
  for (const char* name : {"sweep", "axes", "task", "method"}) {
    options.add_foreign_section(name);
  }
}

Sweep read_sweep(OptionSet& options, int ranks) { return SweepReader(options, ranks).read(); }

}  // namespace softcot
