#include "launch/options/option_sources.h"

#include <fmt/format.h>

#include <boost/program_options.hpp>
#include <cctype>
#include <sstream>

#include "runtime/atomic_file.h"

namespace softcot {
namespace {

namespace po = boost::program_options;

std::string trimmed(const std::string& line) {
  const std::size_t first = line.find_first_not_of(" \t\r\n");
  const std::size_t last = line.find_last_not_of(" \t\r\n");
  return first == std::string::npos ? "" : line.substr(first, last - first + 1);
}

/// Boost reads one line at a time, so that each value knows its line and one bad line hides no
/// other.
std::vector<po::option> parse_config_line(const std::string& line) {
  std::istringstream stream(line);
  return po::parse_config_file(stream, po::options_description(), /*allow_unregistered=*/true)
      .options;
}

bool is_switch(const std::string& text) {
  return text == "on" || text == "off" || text == "true" || text == "false" || text == "yes" ||
         text == "no" || text == "1" || text == "0";
}

/// "--name", also "-name", which no option is called: better unknown than taken for an argument.
bool is_option(const std::string& text) {
  const std::size_t name = text.find_first_not_of('-');
  return (name == 1 || name == 2) && std::isalpha(static_cast<unsigned char>(text[name])) != 0;
}

}  // namespace

std::optional<std::vector<Assignment>> read_config_file(const std::filesystem::path& path,
                                                        std::vector<Problem>& problems) {
  const auto unread = [&](const std::string& why) {
    problems.push_back({.what = "config file cannot be read", .where = path.string(), .got = why});
    return std::nullopt;
  };
  constexpr std::uint64_t kLongestConfig = 1 << 20;  // bytes
  std::istringstream file;
  try {
    file.str(read_file(path, kLongestConfig));
  } catch (const Error& error) {
    const Problem& problem = error.problem();
    return unread(problem.got.empty() ? problem.what : problem.got);
  }
  if (file.view().find('\0') != std::string_view::npos) return unread("no text");
  std::vector<Assignment> assignments;
  std::string section;
  std::string line;
  std::map<std::string, std::string> seen;
  for (int number = 1; std::getline(file, line); ++number) {
    if (number == 1 && line.rfind("\xEF\xBB\xBF", 0) == 0) line.erase(0, 3);
    const std::string origin = fmt::format("{}:{}", path.string(), number);
    const std::string text = trimmed(line.substr(0, line.find('#')));
    if (text.size() > 2 && text.front() == '[' && text.back() == ']') {
      section = normal_name(trimmed(text.substr(1, text.size() - 2)));
      continue;
    }
    try {
      for (const po::option& option : parse_config_line(line)) {
        const std::string key = normal_name(option.string_key);
        const std::string name = section.empty() ? key : section + "." + key;
        const auto [first, fresh] = seen.emplace(name, origin);
        if (!fresh) {
          problems.push_back({.what = "option given twice",
                              .where = fmt::format("{}, {}", name, origin),
                              .got = "first at " + first->second,
                              .fix = "keep one of the two lines"});
        }
        assignments.push_back({name, trimmed(option.value.at(0)), origin});
      }
    } catch (const po::error&) {
      problems.push_back(
          {.what = "line not understood", .where = origin, .expected = "key = value", .got = text});
    }
  }
  return assignments;
}

std::vector<Assignment> read_config_file(const std::filesystem::path& path) {
  std::vector<Problem> problems;
  auto assignments = read_config_file(path, problems);
  if (!problems.empty()) throw OptionErrors(std::move(problems));
  return *std::move(assignments);
}

std::pair<std::string, std::string> split_at_dot(const std::string& name) {
  const auto dot = name.find('.');
  return {name.substr(0, dot), dot == std::string::npos ? "" : name.substr(dot + 1)};
}

std::vector<Assignment> read_command_line(
    const std::vector<std::string>& arguments, const NamelessArgument& argument,
    const std::function<NameKind(const std::string&)>& kind_of, std::vector<Problem>& problems) {
  const std::string origin = "command line";
  std::vector<Assignment> assignments;
  // Boost hands over the tokens not yet read; what this leaves alone is an argument without a name.
  const auto take_option = [&](std::vector<std::string>& tokens) -> std::vector<po::option> {
    const std::string token = tokens.front() == "-h" ? "--help" : tokens.front();
    if (!is_option(token)) return {};
    tokens.erase(tokens.begin());
    const std::size_t equals = token.find('=');
    po::option option;
    option.string_key = normal_name(token.substr(0, equals)).substr(token.find_first_not_of('-'));
    const NameKind kind = kind_of(option.string_key);
    const bool value_follows = equals == std::string::npos && !tokens.empty() &&
                               !is_option(tokens.front()) &&
                               (kind != NameKind::kFlag || is_switch(tokens.front()));
    if (equals != std::string::npos) {
      option.value = {token.substr(equals + 1)};
    } else if (value_follows) {
      option.value = {tokens.front()};
      tokens.erase(tokens.begin());
    } else if (kind == NameKind::kFlag) {
      option.value = {"on"};
    } else if (kind == NameKind::kTakesValue) {
      problems.push_back({.what = "option needs a value",
                          .where = "--" + option.string_key + ", " + origin,
                          .fix = "write --" + option.string_key + " VALUE"});
      option.string_key.clear();
    }
    return {option};
  };
  try {
    namespace style = po::command_line_style;
    const po::options_description none;
    const auto parsed = po::command_line_parser(arguments)
                            .options(none)
                            .style(style::allow_long | style::long_allow_adjacent)
                            .extra_style_parser(take_option)
                            .allow_unregistered()
                            .run();
    bool argument_seen = false;
    for (const po::option& option : parsed.options) {
      if (!option.string_key.empty()) {
        assignments.push_back(
            {option.string_key, option.value.empty() ? "" : option.value.front(), origin});
      } else if (option.value.empty()) {
        continue;  // Its missing value is reported already.
      } else if (argument.name.empty() || (argument_seen && !argument.several)) {
        problems.push_back({.what = "unexpected argument",
                            .where = option.value.front(),
                            .fix = "options are written --section.key value, switches --name, "
                                   "--name on or --name off"});
      } else {
        argument_seen = true;
        assignments.push_back({argument.name, option.value.front(), origin});
      }
    }
  } catch (const po::error& error) {
    problems.push_back({.what = error.what(), .where = origin});
  }
  return assignments;
}

}  // namespace softcot
