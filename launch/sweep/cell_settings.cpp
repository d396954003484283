#include "launch/sweep/cell_settings.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "launch/options/run_options.h"
#include "launch/run/run_data.h"

namespace softcot {

std::vector<std::string> split_list(const std::string& text) {
  const char separator = text.find(';') == std::string::npos ? ',' : ';';
  std::vector<std::string> items;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(separator, begin), text.size());
    const auto first = text.find_first_not_of(" \t", begin);
    if (first < end) {
      items.push_back(text.substr(first, text.find_last_not_of(" \t", end - 1) - first + 1));
    }
    begin = end + 1;
  }
  return items;
}

std::shared_ptr<void> add_cell_options(OptionSet& options) {
  auto run = std::make_shared<RunOptions>();
  add_run_options(options, *run,
                  {"model", "assistant", "parallel", "data", "thoughts", "train", "lora", "coconut",
                   "evaluate", "prompts"});
  options.after_read([] {});
  for (const char* name : {"model.path", "data.file"}) options.find(name)->required = false;
  return run;
}

Settings given_settings(OptionSet& options) {
  Settings given;
  for (const auto& [name, value] : options.values()) {
    if (options.given(name)) given[name] = value;
  }
  return given;
}

void hide_environment(const OptionSet& options) {
  unsetenv("SOFTCOT_CONFIG");
  for (const Option& option : options.options()) {
    if (!option.section().empty()) unsetenv(option.environment_name().c_str());
  }
}

namespace {

/// Names an option as a file does, not as a command line.
Problem without_dashes(Problem problem) {
  constexpr std::string_view kNearest = "did you mean --";
  if (problem.where.starts_with("--")) problem.where.erase(0, 2);
  if (problem.fix.starts_with(kNearest)) problem.fix.erase(kNearest.size() - 2, 2);
  return problem;
}

}  // namespace

CheckedSettings check_cell_settings(const Settings& settings, bool trains) {
  CheckedSettings checked;
  std::vector<std::string> arguments = {"--run.folder=somewhere"};
  for (const auto& [name, value] : settings) arguments.push_back("--" + name + "=" + value);
  const auto run = std::make_shared<RunOptions>();
  OptionSet options("evaluate", "");
  add_run_options(options, *run,
                  {"model", "assistant", "parallel", "data", "thoughts", "train", "lora", "coconut",
                   "evaluate", "run", "prompts"});
  options.find("data.file")->required = trains;
  try {
    options.read(arguments, {});
    require_eval(run->data);
    checked.values = options.values();
    std::erase_if(checked.values, [](const auto& item) { return item.first.starts_with("run."); });
    checked.run = run;
  } catch (const OptionErrors& errors) {
    for (const Problem& problem : errors.problems()) {
      checked.problems.push_back(without_dashes(problem));
    }
  } catch (const Error& error) {
    checked.problems = {error.problem()};
  }
  return checked;
}

}  // namespace softcot
