#include "launch/options/option.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <optional>

namespace softcot {
namespace {

template <typename Number>
std::optional<Number> parse_number(std::string_view text) {
  Number value{};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end) return std::nullopt;
  return value;
}

template <typename Number>
std::optional<Number> parse_within(std::string_view text, const Range& range) {
  const std::optional<Number> value = parse_number<Number>(text);
  if (!value || !range.holds(static_cast<double>(*value))) return std::nullopt;
  return value;
}

template <typename Number>
Binding bind_number(Number* variable, const Range& range, std::string kind, std::string article) {
  Binding binding;
  binding.assign = [variable, range](const std::string& text) {
    const std::optional<Number> value = parse_within<Number>(text, range);
    if (value) *variable = *value;
    return value.has_value();
  };
  binding.text = [variable] { return fmt::format("{}", *variable); };
  binding.kind = std::move(kind);
  binding.legal = std::move(article);
  if (const std::string words = range.words(); !words.empty()) binding.legal += " " + words;
  return binding;
}

std::vector<std::string> split_at_commas(const std::string& text) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= text.size() && !text.empty();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    std::string part = text.substr(begin, end - begin);
    const std::size_t first = part.find_first_not_of(' ');
    const std::size_t last = part.find_last_not_of(' ');
    parts.push_back(first == std::string::npos ? "" : part.substr(first, last - first + 1));
    begin = end + 1;
  }
  return parts;
}

}  // namespace

bool Range::holds(double value) const {
  return std::isfinite(value) && (excludes_low ? value > low : value >= low) && value <= high;
}

std::string Range::words() const {
  const bool bounded_low = std::isfinite(low);
  const bool bounded_high = std::isfinite(high);
  if (bounded_low && bounded_high) {
    return excludes_low ? fmt::format("above {} and at most {}", low, high)
                        : fmt::format("from {} to {}", low, high);
  }
  if (bounded_low) return fmt::format("{} {}", excludes_low ? "above" : "of at least", low);
  if (bounded_high) return fmt::format("of at most {}", high);
  return "";
}

Range any_number() { return {}; }
Range at_least(double low) { return {.low = low}; }
Range above(double low) { return {.low = low, .excludes_low = true}; }
Range between(double low, double high) { return {.low = low, .high = high}; }
Range above_up_to(double low, double high) {
  return {.low = low, .high = high, .excludes_low = true};
}

Binding bind(int* variable, Range range) {
  return bind_number(variable, range, "INTEGER", "an integer");
}

Binding bind(std::int64_t* variable, Range range) {
  return bind_number(variable, range, "INTEGER", "an integer");
}

Binding bind(std::uint64_t* variable, Range range) {
  range.low = std::max(range.low, 0.0);
  return bind_number(variable, range, "INTEGER", "an integer");
}

Binding bind(double* variable, Range range) {
  return bind_number(variable, range, "NUMBER", "a finite number");
}

Binding bind(bool* variable) {
  Binding binding;
  binding.assign = [variable](const std::string& text) {
    const bool on = text == "on" || text == "true" || text == "yes" || text == "1";
    const bool off = text == "off" || text == "false" || text == "no" || text == "0";
    if (on || off) *variable = on;
    return on || off;
  };
  binding.text = [variable] { return *variable ? "on" : "off"; };
  binding.kind = "on|off";
  binding.legal = "on or off";
  binding.is_flag = true;
  return binding;
}

Binding bind(std::string* variable) {
  return {.assign =
              [variable](const std::string& text) {
                *variable = text;
                return true;
              },
          .text = [variable] { return *variable; },
          .kind = "TEXT",
          .legal = "text"};
}

Binding bind(std::filesystem::path* variable) {
  return {.assign =
              [variable](const std::string& text) {
                *variable = text;
                return true;
              },
          .text = [variable] { return variable->string(); },
          .kind = "PATH",
          .legal = "a path"};
}

Binding bind(std::vector<std::string>* variable) {
  return {.assign =
              [variable](const std::string& text) {
                std::vector<std::string> parts = split_at_commas(text);
                for (auto part = parts.begin(); part != parts.end(); ++part) {
                  if (part->empty() || std::find(parts.begin(), part, *part) != part) return false;
                }
                *variable = std::move(parts);
                return true;
              },
          .text = [variable] { return fmt::format("{}", fmt::join(*variable, ",")); },
          .kind = "A,B,…",
          .legal = "a list separated by commas, each item once"};
}

Binding bind(std::vector<std::string>* variable, const std::vector<std::string>& names) {
  Binding binding = bind(variable);
  binding.assign = [any_list = binding.assign, names](const std::string& text) {
    for (const std::string& part : split_at_commas(text)) {
      if (std::find(names.begin(), names.end(), part) == names.end()) return false;
    }
    return any_list(text);
  };
  binding.legal = fmt::format("a list of {}, each once", fmt::join(names, ", "));
  return binding;
}

Binding bind_each(std::vector<std::filesystem::path>* variable) {
  return {.assign =
              [variable](const std::string& text) {
                variable->emplace_back(text);
                return true;
              },
          .text =
              [variable] {
                std::string text;
                for (const auto& path : *variable)
                  text += (text.empty() ? "" : " ") + path.string();
                return text;
              },
          .kind = "PATH",
          .legal = "a path"};
}

Binding bind_names(std::vector<std::string> names, std::function<std::size_t()> index,
                   std::function<void(std::size_t)> choose) {
  Binding binding;
  binding.kind = fmt::format("{}", fmt::join(names, "|"));
  binding.legal = fmt::format("one of {}", fmt::join(names, ", "));
  binding.text = [names, index] { return names.at(index()); };
  binding.assign = [names, choose](const std::string& text) {
    const auto found = std::find(names.begin(), names.end(), text);
    if (found == names.end()) return false;
    choose(static_cast<std::size_t>(found - names.begin()));
    return true;
  };
  return binding;
}

std::string Option::section() const {
  const std::size_t dot = name.find('.');
  return dot == std::string::npos ? "" : name.substr(0, dot);
}

std::string Option::key() const { return name.substr(name.find('.') + 1); }

std::string Option::environment_name() const {
  if (section().empty()) return "";
  std::string out = "SOFTCOT_" + name;
  for (char& c : out) {
    c = (c == '.' || c == '-') ? '_'
                               : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return out;
}

std::string normal_name(std::string_view name) {
  std::string out(name);
  std::replace(out.begin(), out.end(), '_', '-');
  return out;
}

}  // namespace softcot
