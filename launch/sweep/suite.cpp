#include "launch/sweep/suite.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "data/benchmark.h"
#include "launch/options/nearest_name.h"
#include "launch/options/option_sources.h"
#include "launch/run/method.h"
#include "launch/sweep/cell_problems.h"
#include "launch/sweep/cell_settings.h"
#include "runtime/hash.h"
#include "runtime/named_path.h"

namespace softcot {
namespace {

/// A suite file while it is read.
class SuiteReader {
 public:
  SuiteReader(const std::filesystem::path& file, const Settings& overrides)
      : file_(file), overrides_(overrides), problems_(file.string()) {
    const auto assignments = read_config_file(file, problems_.all());
    if (!assignments) problems_.throw_any();
    for (const Assignment& assignment : *assignments) sort_in(assignment);
    for (const auto& [name, value] : overrides) require_free(name, "given beside the suite");
  }

  Suite read() {
    Suite suite;
    suite.title = head("title", "");
    suite.source = head("source", "");
    suite.hash = problems_.empty() ? hash_file(file_) : "";
    suite.tasks = known_tasks("tasks");
    suite.transfer = known_tasks("transfer");
    suite.transfer_from = head("transfer-from", "");
    if (!suite.transfer_from.empty() && std::find(suite.tasks.begin(), suite.tasks.end(),
                                                  suite.transfer_from) == suite.tasks.end()) {
      problems_.add("task without a training", "suite.transfer-from: " + suite.transfer_from,
                    "one of [suite] tasks");
    }
    for (const std::string& name : split_list(head("methods", ""))) add_entry(suite, name);
    for (const std::string& seed : split_list(head("seeds", "41"))) add_seed(seed);
    if (suite.entries.empty() || suite.tasks.empty()) {
      problems_.add("suite without methods or tasks", file_.string(),
                    "[suite] with methods = … and tasks = …");
    }
    require_used(suite);
    for (const SuiteEntry& entry : suite.entries) {
      for (const std::string& task : suite.tasks) add_cells(suite, entry, task);
    }
    add_published(suite);
    std::set<std::string> folders;
    for (const SuiteCell& cell : suite.cells) {
      if (!folders.insert(cell.folder()).second)
        problems_.add("two cells in one folder", cell.folder());
    }
    problems_.throw_any();
    return suite;
  }

 private:
  struct Part {
    std::string title;
    Settings settings;
    std::string origin;
  };

  void sort_in(const Assignment& assignment) {
    const auto [section, rest] = split_at_dot(assignment.name);
    if (section == "suite") {
      const std::set<std::string> keys = {"title",    "source",        "methods", "tasks",
                                          "transfer", "transfer-from", "seeds"};
      if (!keys.contains(rest))
        problems_.add("unknown key of a suite", assignment.origin + ": " + rest,
                      "title, source, methods, tasks, transfer, transfer-from or seeds");
      head_[rest] = assignment.value;
    } else if (section == "published") {
      published_.push_back({rest, assignment.value, assignment.origin});
    } else if (section == "task" || section == "method" || section == "variant") {
      const auto [name, key] = split_at_dot(rest);
      Part& part = parts_[section][name];
      part.origin = assignment.origin;
      if (section == "variant" && key == "title") {
        part.title = assignment.value;
      } else {
        require_free(key, assignment.origin);
        part.settings[key] = assignment.value;
      }
    } else {
      require_free(assignment.name, assignment.origin);
      shared_[assignment.name] = assignment.value;
    }
  }

  /// A cell's place in the suite decides these.
  void require_free(const std::string& option, const std::string& origin) {
    const std::map<std::string, std::string> decided = {{"data.task", "tasks"},
                                                        {"train.method", "methods"},
                                                        {"evaluate.methods", "methods"},
                                                        {"train.seed", "seeds"}};
    const auto found = decided.find(option);
    if (found != decided.end()) {
      problems_.add("the suite decides this option", fmt::format("{}, {}", option, origin),
                    "it in [suite] " + found->second);
    } else if (option == "evaluate.trained" || option.starts_with("run.")) {
      problems_.add("compare decides this option", fmt::format("{}, {}", option, origin));
    }
  }

  std::string head(const std::string& key, const std::string& otherwise) const {
    const auto found = head_.find(key);
    return found == head_.end() ? otherwise : found->second;
  }

  std::vector<std::string> known_tasks(const std::string& key) {
    std::vector<std::string> tasks = split_list(head(key, ""));
    for (const std::string& task : tasks) {
      try {
        benchmark_of(task);
      } catch (const Error& error) {
        add_of(key, error.problem());
      }
    }
    return tasks;
  }

  /// What is wrong with an item of a list in [suite].
  void add_of(const std::string& key, Problem problem) {
    problem.where = fmt::format("{}, [suite] {}", file_.string(), key);
    problems_.add(std::move(problem));
  }

  void add_entry(Suite& suite, const std::string& name) {
    const auto colon = name.find(':');
    SuiteEntry entry{name.substr(0, colon),
                     colon == std::string::npos ? "" : name.substr(colon + 1), ""};
    try {
      entry.title = method_of(entry.method).title;
    } catch (const Error& error) {
      add_of("methods", error.problem());
      return;
    }
    if (colon != std::string::npos && !is_plain_name(entry.variant)) {
      problems_.add("variant that cannot be a part of a folder's name",
                    file_.string() + ": " + name, "a name without \"/\"");
      return;
    }
    if (!entry.variant.empty()) {
      if (!parts_["variant"].contains(normal_name(entry.variant))) {
        problems_.add("unknown variant of a method", name,
                      "a section [variant." + entry.variant + "]");
      }
      const std::string& title = parts_["variant"][normal_name(entry.variant)].title;
      entry.title += ", " + (title.empty() ? entry.variant : title);
    }
    suite.entries.push_back(entry);
  }

  void add_seed(const std::string& text) {
    std::uint64_t seed = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seed);
    if (error != std::errc() || end != text.data() + text.size()) {
      problems_.add("not a seed", "suite.seeds: " + text, "whole numbers with commas between them");
    }
    seeds_.push_back(seed);
  }

  /// A section for a task, method or variant that is not in the suite is a slip.
  void require_used(const Suite& suite) {
    std::map<std::string, std::set<std::string>> used;
    for (const auto& task : suite.tasks) used["task"].insert(normal_name(task));
    for (const auto& task : suite.transfer) used["task"].insert(normal_name(task));
    for (const auto& entry : suite.entries) {
      used["method"].insert(normal_name(entry.method));
      used["variant"].insert(normal_name(entry.variant));
    }
    for (const auto& [kind, parts] : parts_) {
      for (const auto& [name, part] : parts) {
        if (used[kind].contains(name)) continue;
        const auto nearest = nearest_name(name, {used[kind].begin(), used[kind].end()});
        problems_.add(fmt::format("section for a {} that the suite does not have", kind),
                      part.origin, "",
                      nearest ? fmt::format("did you mean [{}.{}]?", kind, *nearest) : "");
      }
    }
  }

  void apply(Settings& settings, const std::string& kind, const std::string& name) const {
    const auto parts = parts_.find(kind);
    if (parts == parts_.end()) return;
    const auto part = parts->second.find(normal_name(name));
    if (part == parts->second.end()) return;
    for (const auto& [key, value] : part->second.settings) settings[key] = value;
  }

  Settings settings_of(const SuiteEntry& entry, const std::string& task) const {
    Settings settings = shared_;
    settings["data.task"] = task;
    apply(settings, "task", task);
    apply(settings, "method", entry.method);
    apply(settings, "variant", entry.variant);
    for (const auto& [name, value] : overrides_) settings[name] = value;
    settings["evaluate.methods"] = entry.method;
    if (method_of(entry.method).trained()) settings["train.method"] = entry.method;
    return settings;
  }

  void add_cells(Suite& suite, const SuiteEntry& entry, const std::string& task) {
    const bool trained = method_of(entry.method).trained();
    for (const std::uint64_t seed : trained ? seeds_ : std::vector<std::uint64_t>{0}) {
      SuiteCell cell{entry, task, seed, settings_of(entry, task), {}};
      if (trained) cell.settings["train.seed"] = std::to_string(seed);
      for (const std::string& other : suite.transfer) {
        // What trains nothing answers each task once.
        const bool has_cell =
            std::find(suite.tasks.begin(), suite.tasks.end(), other) != suite.tasks.end();
        const bool again = !trained && (has_cell || task != suite.tasks.front());
        if (other != task && !again) cell.transfers[other] = transferred(cell, other);
      }
      check(cell, cell.settings, trained);
      for (const auto& [other, settings] : cell.transfers) check(cell, settings, false);
      suite.cells.push_back(std::move(cell));
    }
  }

  /// The cell's settings on the data of another task.
  Settings transferred(const SuiteCell& cell, const std::string& task) const {
    Settings settings = settings_of(cell.entry, task);
    // Its thoughts are not wanted; but with a train-share the file holds the held-out questions.
    if (settings.contains("data.eval-file")) settings.erase("data.file");
    if (cell.trained()) settings["train.seed"] = std::to_string(cell.seed);
    return settings;
  }

  void check(const SuiteCell& cell, const Settings& settings, bool trains) {
    for (const Problem& found : check_cell_settings(settings, trains).problems) {
      problems_.add_of_cell(cell.folder(), found);
    }
  }

  /// "TASK.LINE = per cent", or "TASK.LINE@TASK" with what the line was trained on.
  void add_published(Suite& suite) {
    const auto tasks = suite.all_tasks();
    std::map<std::string, std::string> by_default;  // Before any figure names a training.
    for (const std::string& task : tasks) by_default[task] = suite.training_for(task);
    for (const Assignment& figure : published_) {
      const auto [task, line] = split_at_dot(figure.name);
      const std::size_t at = line.find('@');
      const std::string entry = line.substr(0, at);
      const auto same_as = [](const std::string& name) {
        return [&](const std::string& each) { return normal_name(each) == normal_name(name); };
      };
      const auto known_task = std::find_if(tasks.begin(), tasks.end(), same_as(task));
      const auto known =
          std::find_if(suite.entries.begin(), suite.entries.end(),
                       [&](const SuiteEntry& each) { return same_as(entry)(each.name()); });
      if (known == suite.entries.end() || known_task == tasks.end()) {
        problems_.add("published figure of no cell", figure.origin, "TASK.METHOD = per cent");
        continue;
      }
      PublishedFigure read{known->name(), *known_task, 0, ""};
      const bool trained = method_of(known->method).trained();
      const bool named = at != std::string::npos;
      const auto training =
          std::find_if(suite.tasks.begin(), suite.tasks.end(),
                       same_as(named ? line.substr(at + 1) : by_default[*known_task]));
      if (trained && training == suite.tasks.end()) {
        problems_.add("published figure without its training", figure.origin,
                      "TASK.METHOD@TASK = per cent, the latter a task of the suite");
        continue;
      }
      if (!trained && named) {
        problems_.add("published figure of a method that trains nothing", figure.origin,
                      "TASK.METHOD = per cent");
        continue;
      }
      if (trained) read.trained_on = *training;
      const std::string& text = figure.value;
      const auto [end, error] =
          std::from_chars(text.data(), text.data() + text.size(), read.accuracy);
      if (error != std::errc() || end != text.data() + text.size()) {
        problems_.add("published figure is no number", figure.origin);
        continue;
      }
      suite.published.push_back(std::move(read));
    }
  }

  std::filesystem::path file_;
  Settings overrides_;
  CellProblems problems_;
  Settings head_;
  Settings shared_;
  std::map<std::string, std::map<std::string, Part>> parts_;
  std::vector<Assignment> published_;
  std::vector<std::uint64_t> seeds_;
};

}  // namespace

Suite Suite::read(const std::filesystem::path& file, const Settings& overrides) {
  return SuiteReader(file, overrides).read();
}

}  // namespace softcot
