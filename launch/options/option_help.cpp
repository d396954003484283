#include "launch/options/option_help.h"

#include <fmt/format.h>

#include <sstream>

namespace softcot {
namespace {

constexpr std::size_t kWidth = 100;

std::string wrapped(const std::string& text, std::size_t indent) {
  std::istringstream words(text);
  std::string out;
  std::string line(indent, ' ');
  std::string word;
  while (words >> word) {
    if (line.size() > indent && line.size() + 1 + word.size() > kWidth) {
      out += line + "\n";
      line.assign(indent, ' ');
    }
    line += (line.size() > indent ? " " : "") + word;
  }
  return out + line + "\n";
}

/// "rows; an integer of at least 1; default 4"
std::string facts(const Option& option) {
  std::string out = option.unit;
  const auto append = [&out](const std::string& fact) { out += (out.empty() ? "" : "; ") + fact; };
  const bool tells_more = option.binding.legal.find(' ') != std::string::npos &&
                          option.binding.kind.find('|') == std::string::npos &&
                          option.binding.kind != "PATH";
  if (tells_more) append(option.binding.legal);
  if (option.required) {
    append("required");
  } else if (!option.default_text.empty()) {
    append("default " + option.default_text + option.other_defaults);
  }
  return out;
}

std::string entry(const Option& option, const OptionSet& options) {
  std::string names = "--" + option.name;
  for (const auto& [alias, name] : options.aliases()) {
    if (name == option.name) names += ", --" + alias;
  }
  const bool bare = option.section().empty() && option.binding.is_flag;
  std::string out = fmt::format("  {}{}\n", names, bare ? "" : " " + option.binding.kind);
  const std::string more = bare ? "" : facts(option);
  return out + wrapped(option.help + (more.empty() ? "" : " (" + more + ")"), 6);
}

}  // namespace

std::string help_page(const OptionSet& options) {
  const std::string& argument = options.argument();
  std::string out = fmt::format(
      "softcot {}: {}\n\nUsage: softcot {}{} [--config FILE] [--option value …]\n",
      options.command(), options.summary(), options.command(),
      argument.empty() ? "" : " " + argument + (options.several_arguments() ? "…" : ""));
  for (const Option& option : options.options()) {
    if (!argument.empty() && option.name == argument) {
      out += fmt::format("\n  {}\n{}", argument, wrapped(option.help, 6));
    }
  }
  bool sections_used = false;
  for (const OptionSet::Section& section : options.sections()) {
    if (!options.uses(section)) continue;
    sections_used = true;
    out += fmt::format("\n[{}] {}\n", section.name, section.help);
    for (const Option& option : options.options()) {
      if (option.section() == section.name && option.used) out += entry(option, options);
    }
  }
  out += "\nGeneral\n";
  for (const Option& option : options.options()) {
    if (option.section().empty() && option.name != argument) out += entry(option, options);
  }
  if (sections_used) {
    out +=
        "\nWhere values come from, the later winning: defaults, config file, environment\n"
        "(SOFTCOT_SECTION_KEY, e.g. SOFTCOT_MODEL_PATH), command line (--section.key value).\n";
  }
  if (!options.notes().empty()) out += "\n" + options.notes() + "\n";
  if (!options.examples().empty()) out += "\nExamples\n";
  for (const OptionExample& example : options.examples()) {
    out += fmt::format("  # {}\n  {}\n", example.meaning, example.line);
  }
  return out;
}

}  // namespace softcot
