#include "evaluation/study.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>

#include "evaluation/pooled_samples.h"

namespace softcot {
namespace {

constexpr const char* kBaseline = "zero_shot_cot";

// Facts that must agree within a line and are no options.
constexpr const char* kFacts[] = {"backbone", "prompts", "softcot", "run"};

std::string last_part(const std::string& path) {
  const auto slash = path.find_last_of('/');
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

std::string words_of(const std::string& name, const std::string& value) {
  if (name == "thoughts.count") return "N = " + value;
  if (name == "thoughts.eval-count") return value.empty() ? "" : "tested with N = " + value;
  if (name == "assistant.layers") {
    if (value == "0") return "whole assistant";
    return fmt::format("assistant {} layer{}", value, value == "1" ? "" : "s");
  }
  if (name == "assistant.path") return "assistant " + last_part(value);
  if (name == "model.path") return last_part(value);
  if (name == "data.file" || name == "data.eval-file") return last_part(value);
  const auto dot = name.find('.');
  const std::string key = dot == std::string::npos ? name : name.substr(dot + 1);
  const bool hash = dot == std::string::npos && value.size() > 12;
  return fmt::format("{} {}", key, hash ? value.substr(0, 8) : value.empty() ? "none" : value);
}

bool is_fact(const std::string& name) {
  return std::find(std::begin(kFacts), std::end(kFacts), name) != std::end(kFacts);
}

std::optional<std::int64_t> whole_number(const Settings& settings, const std::string& name) {
  const std::string text = value_of(settings, name);
  if (text.empty()) return std::nullopt;
  return std::strtoll(text.c_str(), nullptr, 10);
}

std::optional<std::int64_t> count_of(const Provenance& provenance, const std::string& what) {
  const auto found = provenance.parameters.find(what);
  if (found == provenance.parameters.end()) return std::nullopt;
  return found->second;
}

bool same_answers(const MethodSamples& left, const MethodSamples& right) {
  const auto texts = [](const MethodSamples& all) {
    std::map<SampleKey, std::string> by_key;
    for (const Sample& sample : all.samples) {
      by_key[{sample.question_id, sample.sample_index}] = sample.text;
    }
    return by_key;
  };
  return texts(left) == texts(right);
}

/// Settings and facts of a cell: equal for the cells of one line.
Settings identity_of(const Study& study, const StudyCell& cell) {
  const StudyRun& run = study.runs[cell.run];
  Settings settings = cell.settings;
  settings["backbone"] = value_of(run.provenance.model_hashes, "backbone");
  settings["prompts"] = run.provenance.prompt_hash;
  settings["softcot"] = value_of(run.provenance.versions, "softcot");
  if (!run.doubt.empty()) settings["run"] = run.name;
  return settings;
}

StudyLine new_line(const Study& study, std::size_t index) {
  const StudyCell& cell = study.cells[index];
  const StudyRun& run = study.runs[cell.run];
  const bool trained = !cell.trained_on.empty();
  const bool assisted = cell.settings.contains("assistant.path");
  StudyLine line;
  line.label = cell.samples.title;
  line.method = cell.method;
  line.task = run.provenance.task;
  line.trained_on = cell.trained_on;
  line.settings = identity_of(study, cell);
  line.doubt = run.doubt;
  line.thoughts = whole_number(cell.settings, "thoughts.count");
  line.eval_thoughts = whole_number(cell.settings, "thoughts.eval-count");
  if (assisted) line.assistant_size = count_of(run.provenance, "assistant");
  if (trained) line.trained_parameters = count_of(run.provenance, "trained");
  line.samples = {cell.samples.method, cell.samples.title, {}, 0, cell.samples.quirks};
  return line;
}

/// The line that the cell belongs to, new if there is none.
StudyLine& line_for(Study& study, std::size_t index) {
  const StudyCell& cell = study.cells[index];
  const Settings settings = identity_of(study, cell);
  for (StudyLine& line : study.lines) {
    if (line.samples.method == cell.samples.method && line.label == cell.samples.title &&
        line.task == study.runs[cell.run].provenance.task && line.trained_on == cell.trained_on &&
        line.settings == settings) {
      return line;
    }
  }
  return study.lines.emplace_back(new_line(study, index));
}

void add_cell(Study& study, std::size_t index) {
  const StudyCell& cell = study.cells[index];
  StudyLine& line = line_for(study, index);
  for (const std::size_t other : line.cells) {
    const StudyCell& first = study.cells[other];
    if (first.seeds != cell.seeds) continue;
    const bool same = same_answers(first.samples, cell.samples);
    study.left_out.push_back(
        {fmt::format("{}: {}", study.runs[cell.run].name, cell.samples.title),
         fmt::format("{} {}, with the same settings and seeds", same ? "repeats" : "differs from",
                     study.runs[first.run].name)});
    return;
  }
  line.cells.push_back(index);
  if (!line.published) line.published = cell.published;
}

/// Pools the samples of the line's cells in the order of their seeds, so that the n-th seed of one
/// line stands against the n-th of another.
void pool_cells(const Study& study, StudyLine& line) {
  std::vector<std::size_t> ordered = line.cells;
  const auto seeds_of = [&](std::size_t index) -> const std::string& {
    return study.cells[index].seeds;
  };
  std::stable_sort(ordered.begin(), ordered.end(), [&](std::size_t left, std::size_t right) {
    const auto &a = seeds_of(left), &b = seeds_of(right);
    return std::pair(a.size(), a) < std::pair(b.size(), b);
  });
  std::set<std::string> trainings;
  for (const std::size_t index : ordered) {
    const MethodSamples& samples = study.cells[index].samples;
    const std::string training = seeds_of(index).substr(0, seeds_of(index).find(", evaluation"));
    const bool fresh = !line.trained_on.empty() && trainings.insert(training).second;
    const auto nll = fresh ? nll_per_token_of(samples.samples) : std::nullopt;
    if (nll) line.samples.training_nll.push_back(*nll);
    line.samples.seeds += std::max<std::size_t>(1, samples.seeds);
    pool_samples(line.samples, samples.samples);
  }
}

/// The zero-shot line of the task that shares most with `line`: scored in the same way, then the
/// fewest settings that both have and that differ.
const StudyLine* baseline_of(const StudyLine& line, const std::vector<const StudyLine*>& all) {
  const StudyLine* best = nullptr;
  std::size_t least = 0;
  for (const StudyLine* other : all) {
    if (other->method != kBaseline || !other->doubt.empty()) continue;
    if (value_of(other->settings, "backbone") != value_of(line.settings, "backbone")) continue;
    std::size_t differing = other->samples.quirks == line.samples.quirks ? 0 : 1000;
    for (const auto& [name, value] : other->settings) {
      const auto found = line.settings.find(name);
      if (found != line.settings.end() && found->second != value) ++differing;
    }
    if (best == nullptr || differing < least) {
      best = other;
      least = differing;
    }
  }
  return best;
}

void compare_lines(Study& study, const std::string& task) {
  std::vector<const StudyLine*> lines = study.lines_of(task);
  std::map<const StudyLine*, std::string> names;
  for (std::size_t i = 0; i < lines.size(); ++i) names[lines[i]] = std::to_string(i);
  std::vector<MethodSamples> samples;
  for (const StudyLine* line : lines) {
    MethodSamples& own = samples.emplace_back(line->samples);
    const StudyLine* baseline = baseline_of(*line, lines);
    own.method = names[line];
    own.title = line->label;
    own.baseline = baseline == nullptr ? "none" : names[baseline];
  }
  const Comparison comparison = compare_methods(samples, {});
  for (StudyLine& line : study.lines) {
    for (const MethodResult& result : comparison.rows) {
      if (line.task == task && result.method == names[&line]) line.result = result;
    }
  }
}

}  // namespace

std::string value_of(const Settings& settings, const std::string& name) {
  const auto found = settings.find(name);
  return found == settings.end() ? "" : found->second;
}

std::vector<std::string> Study::tasks() const {
  std::vector<std::string> tasks;
  for (const StudyLine& line : lines) {
    if (std::find(tasks.begin(), tasks.end(), line.task) == tasks.end()) tasks.push_back(line.task);
  }
  return tasks;
}

std::vector<const StudyLine*> Study::lines_of(const std::string& task) const {
  std::vector<const StudyLine*> chosen;
  for (const StudyLine& line : lines) {
    if (line.task == task) chosen.push_back(&line);
  }
  return chosen;
}

bool Study::has_transfer() const {
  return std::any_of(lines.begin(), lines.end(),
                     [](const StudyLine& line) { return !line.native(); });
}

void add_lines(Study& study) {
  study.lines.clear();
  for (std::size_t i = 0; i < study.cells.size(); ++i) {
    if (!study.cells[i].samples.samples.empty()) add_cell(study, i);
  }
  for (StudyLine& line : study.lines) pool_cells(study, line);
  for (const std::string& task : study.tasks()) {
    const auto lines = study.lines_of(task);
    std::map<const StudyLine*, std::string> labels;
    for (const StudyLine* line : lines) {
      std::string label = line->label;
      const std::string more = distinction(*line, lines);
      if (!more.empty()) label += ", " + more;
      if (!line->native()) label += fmt::format(" (trained on {})", line->trained_on);
      labels[line] = line->doubt.empty() ? label : "⚠ " + label;
    }
    compare_lines(study, task);
    for (StudyLine& line : study.lines) {
      if (line.task == task) line.label = labels[&line];
    }
  }
}

std::string distinction(const StudyLine& line, const std::vector<const StudyLine*>& among,
                        const std::set<std::string>& without) {
  std::set<std::string> options;
  std::set<std::string> facts;
  for (const StudyLine* other : among) {
    if (other->samples.method != line.samples.method || other->trained_on != line.trained_on ||
        other->samples.title != line.samples.title) {
      continue;
    }
    for (const Settings* settings : {&other->settings, &line.settings}) {
      for (const auto& [name, value] : *settings) {
        const bool differs = value_of(line.settings, name) != value_of(other->settings, name);
        if (differs && !without.contains(name)) (is_fact(name) ? facts : options).insert(name);
      }
    }
  }
  facts.erase("run");
  std::vector<std::string> words;
  for (const std::string& name : options.empty() ? facts : options) {
    const std::string word = words_of(name, value_of(line.settings, name));
    if (!word.empty()) words.push_back(word);
  }
  if (!line.doubt.empty()) words.push_back("run " + value_of(line.settings, "run"));
  return fmt::format("{}", fmt::join(words, ", "));
}

std::string short_count(std::int64_t count) {
  const auto number = static_cast<double>(count);
  if (count < 1000) return std::to_string(count);
  if (count < 1'000'000) return fmt::format("{:.0f}k", number / 1e3);
  if (count < 1'000'000'000)
    return fmt::format("{:.{}f}M", number / 1e6, count < 10'000'000 ? 2 : 0);
  return fmt::format("{:.2f}B", number / 1e9);
}

}  // namespace softcot
