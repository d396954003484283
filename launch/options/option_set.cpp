#include "launch/options/option_set.h"

#include <fmt/format.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <cctype>
#include <set>
#include <stdexcept>

#include "launch/options/nearest_name.h"
#include "launch/options/option_sources.h"

namespace softcot {
namespace {

/// A value that a config file could not give back: the run's saved configuration would be wrong.
bool survives_config_file(const std::string& value) {
  const auto is_space = [](char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; };
  return value.find_first_of("#\n\r") == std::string::npos &&
         (value.empty() || (!is_space(value.front()) && !is_space(value.back())));
}

Problem illegal_value(const Option& option, const Assignment& assignment) {
  const std::string unit = option.unit.empty() ? "" : fmt::format(" ({})", option.unit);
  return {.what = "illegal value",
          .where = fmt::format("{}, {}", option.name, assignment.origin),
          .expected = option.binding.legal + unit,
          .got = assignment.value.empty() ? "nothing" : assignment.value};
}

/// The position of the first kUsage, else the first.
std::size_t gravest(const std::vector<ExitCode>& codes) {
  const auto usage = std::find(codes.begin(), codes.end(), ExitCode::kUsage);
  return usage == codes.end() ? 0 : static_cast<std::size_t>(usage - codes.begin());
}

}  // namespace

OptionErrors::OptionErrors(std::vector<Problem> problems, std::vector<ExitCode> codes)
    : Error(codes.empty() ? ExitCode::kUsage : codes.at(gravest(codes)),
            problems.at(codes.empty() ? 0 : gravest(codes))),
      problems_(std::move(problems)),
      codes_(std::move(codes)) {
  codes_.resize(problems_.size(), ExitCode::kUsage);
}

OptionSet::OptionSet(std::string command, std::string summary)
    : command_(std::move(command)), summary_(std::move(summary)) {
  add("help", &help_asked_, "Show this text.");
  add("config", &config_,
      "Config file with [section] lines and key = value lines; also SOFTCOT_CONFIG.");
}

void OptionSet::add_section(const std::string& name, std::string help) {
  sections_.push_back({name, std::move(help)});
}

void OptionSet::add_foreign_section(const std::string& name) {
  sections_.push_back({.name = name, .help = {}, .foreign = true});
}

Option& OptionSet::insert(const std::string& name, Binding binding, std::string help) {
  Option option{.name = name, .help = std::move(help), .binding = std::move(binding)};
  option.default_text = option.binding.text();
  const auto alias = aliases_.find(name);
  if (alias != aliases_.end() && !find(alias->second)->used) aliases_.erase(alias);
  const auto declared = [&](const Section& section) { return section.name == option.section(); };
  if (find(name) != nullptr ||
      (!option.section().empty() && std::none_of(sections_.begin(), sections_.end(), declared))) {
    throw std::logic_error("option added twice or without its section: " + name);
  }
  options_.push_back(std::move(option));
  return options_.back();
}

void OptionSet::add_alias(const std::string& alias, const std::string& name) {
  if (find(alias) != nullptr || find(name) == nullptr) {
    throw std::logic_error("alias is taken or means nothing: " + alias);
  }
  aliases_[alias] = name;
}

void OptionSet::add_example(std::string line, std::string meaning) {
  examples_.push_back({std::move(line), std::move(meaning)});
}

Option* OptionSet::find(const std::string& name) {
  const auto alias = aliases_.find(normal_name(name));
  const std::string full = alias == aliases_.end() ? normal_name(name) : alias->second;
  const auto found = std::find_if(options_.begin(), options_.end(),
                                  [&](const Option& option) { return option.name == full; });
  return found == options_.end() ? nullptr : &*found;
}

bool OptionSet::uses(const Section& section) const {
  return std::any_of(options_.begin(), options_.end(), [&](const Option& option) {
    return option.used && option.section() == section.name;
  });
}

std::vector<std::string> OptionSet::known_names(bool on_command_line) const {
  std::vector<std::string> names;
  for (const Option& option : options_) {
    const bool nameless = option.name == argument_;
    const bool fits = on_command_line ? option.used : !option.section().empty();
    if (fits && !nameless) names.push_back(option.name);
  }
  for (const Option& option : options_) {
    for (const auto& [alias, name] : aliases_) {
      if (on_command_line && option.used && name == option.name) names.push_back(alias);
    }
  }
  return names;
}

Problem OptionSet::unknown_option(const std::string& name, const std::string& where,
                                  bool on_command_line) const {
  const std::optional<std::string> nearest = nearest_name(name, known_names(on_command_line));
  const std::string dashes = on_command_line ? "--" : "";
  return {.what = "unknown option",
          .where = fmt::format("{}{}, {}", dashes, name, where),
          .fix = nearest ? fmt::format("did you mean {}{}?", dashes, *nearest)
                         : fmt::format("softcot {} --help lists them", command_)};
}

void OptionSet::check_name(const Assignment& assignment, bool on_command_line,
                           std::vector<Problem>& problems) {
  const Option* option = find(assignment.name);
  if (option == nullptr || (!on_command_line && option->section().empty())) {
    problems.push_back(unknown_option(assignment.name, assignment.origin, on_command_line));
  } else if (on_command_line && !option->used) {
    Problem unused = unknown_option(assignment.name, assignment.origin, on_command_line);
    unused.what = fmt::format("softcot {} does not use this option", command_);
    problems.push_back(std::move(unused));
  }
}

std::vector<Assignment> OptionSet::gather(const std::vector<std::string>& arguments,
                                          const std::map<std::string, std::string>& environment,
                                          std::vector<Problem>& problems) {
  config_.clear();
  config_read_ = true;
  const auto kind_of = [this](const std::string& name) {
    const Option* option = find(name);
    if (option == nullptr) return NameKind::kUnknown;
    return option->binding.is_flag ? NameKind::kFlag : NameKind::kTakesValue;
  };
  std::vector<Assignment> from_line =
      read_command_line(arguments, {argument_, several_arguments_}, kind_of, problems);
  for (const Assignment& assignment : from_line) check_name(assignment, true, problems);

  std::vector<Assignment> from_environment;
  for (const auto& entry : environment) {
    const std::string& variable = entry.first;
    const std::string& value = entry.second;
    if (variable == "SOFTCOT_CONFIG") config_ = value;
    for (const Section& section : sections_) {
      const std::string prefix = Option{.name = section.name + "."}.environment_name();
      if (variable.rfind(prefix, 0) != 0) continue;
      const auto named = std::find_if(options_.begin(), options_.end(), [&](const Option& option) {
        return option.environment_name() == variable;
      });
      std::string name = section.name + "." + variable.substr(prefix.size());
      std::transform(name.begin(), name.end(), name.begin(),
                     [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      name = named == options_.end() ? normal_name(name) : named->name;
      from_environment.push_back({name, value, variable});
      check_name(from_environment.back(), false, problems);
    }
  }
  for (const Assignment& assignment : from_line) {
    if (assignment.name == "config") config_ = assignment.value;
  }
  std::vector<Assignment> all;
  if (!config_.empty()) {
    const auto from_file = read_config_file(config_, problems);
    config_read_ = from_file.has_value();
    if (from_file) all = *from_file;
  }
  std::erase_if(all, [this](const Assignment& assignment) {
    const std::string name = assignment.name.substr(0, assignment.name.find('.'));
    return std::any_of(sections_.begin(), sections_.end(), [&](const Section& section) {
      return section.name == name && section.foreign;
    });
  });
  for (const Assignment& assignment : all) check_name(assignment, false, problems);
  all.insert(all.end(), from_environment.begin(), from_environment.end());
  all.insert(all.end(), from_line.begin(), from_line.end());
  return all;
}

bool OptionSet::assign(const Assignment& assignment, std::vector<Problem>& problems) {
  Option* option = find(assignment.name);
  if (option == nullptr) return true;  // Reported when it was read.
  // What belongs to no section is given anew at each call.
  if (!option->section().empty() && !survives_config_file(assignment.value)) {
    problems.push_back({.what = "value cannot be written in a config file",
                        .where = fmt::format("{}, {}", option->name, assignment.origin),
                        .expected = "no '#', line break or outer space",
                        .got = assignment.value,
                        .fix = "give the file or folder another name"});
    return false;
  }
  if (!option->binding.assign(assignment.value)) {
    problems.push_back(illegal_value(*option, assignment));
    return false;
  }
  option->origin = assignment.origin;
  option->given = true;
  return true;
}

void OptionSet::read(const std::vector<std::string>& arguments,
                     const std::map<std::string, std::string>& environment) {
  std::vector<Problem> problems;
  std::set<std::string> illegal;  // An illegal value is not a missing one.
  for (const Assignment& assignment : gather(arguments, environment, problems)) {
    if (!assign(assignment, problems)) illegal.insert(find(assignment.name)->name);
  }
  for (const Option& option : options_) {
    if (!config_read_) break;  // What stands in that file is not missing.
    const bool missing = option.binding.text().empty() && illegal.count(option.name) == 0;
    if (!option.required || help_asked_ || !option.used || !missing) continue;
    const bool nameless = option.name == argument_;
    problems.push_back({.what = nameless ? "argument is missing" : "option is missing",
                        .where = nameless ? option.name : "--" + option.name,
                        .fix = fmt::format("softcot {} --help says what it is", command_)});
  }
  if (!problems.empty()) throw OptionErrors(std::move(problems));
  if (settle_ && !help_asked_) settle_();
}

std::map<std::string, std::string> OptionSet::values() const {
  std::map<std::string, std::string> values;
  for (const Option& option : options_) {
    if (!option.section().empty() && option.used) values[option.name] = option.binding.text();
  }
  return values;
}

std::string OptionSet::effective_config() const {
  std::string out =
      fmt::format("# softcot {}: every option in force, and where it came from\n", command_);
  for (const Section& section : sections_) {
    if (!uses(section)) continue;
    out += fmt::format("\n[{}]\n", section.name);
    for (const Option& option : options_) {
      if (option.section() != section.name || !option.used) continue;
      out += fmt::format("{} = {}  # {}\n", option.key(), option.binding.text(), option.origin);
    }
  }
  return out;
}

std::uint64_t OptionSet::values_hash() const {
  std::string text;
  for (const auto& [name, value] : values()) text += name + "=" + value + "\n";
  return XXH3_64bits(text.data(), text.size());
}

const Option& OptionSet::known(const std::string& name) const {
  for (const Option& option : options_) {
    if (option.name == name) return option;
  }
  throw std::out_of_range("no such option: " + name);
}

const std::string& OptionSet::origin(const std::string& name) const { return known(name).origin; }

bool OptionSet::given(const std::string& name) const { return known(name).given; }

void OptionSet::set_default(const std::string& name, const std::string& value,
                            const std::string& origin) {
  Option* option = find(name);
  if (option != nullptr && option->given) return;
  if (option == nullptr || !option->binding.assign(value)) {
    throw std::logic_error(fmt::format("no such default: {} = {}", name, value));
  }
  option->origin = origin;
}

std::map<std::string, std::string> softcot_environment() {
  std::map<std::string, std::string> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const std::size_t equals = text.find('=');
    if (text.rfind("SOFTCOT_", 0) == 0 && equals != std::string::npos) {
      variables[text.substr(0, equals)] = text.substr(equals + 1);
    }
  }
  return variables;
}

}  // namespace softcot
