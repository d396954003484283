#include "data/prompt_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "data/benchmark_lines.h"
#include "data/tokenizer_text.h"
#include "runtime/atomic_file.h"
#include "runtime/error.h"

namespace softcot {
namespace {

constexpr std::size_t kMaxBytes = std::size_t{1} << 20;

std::string read_text(const std::filesystem::path& path) {
  std::string text;
  try {
    text = read_file(path, kMaxBytes);
  } catch (const Error& error) {
    Problem problem = error.problem();
    problem.what = "prompt file cannot be read";
    problem.fix =
        "call softcot from its checkout, where the default lies, or give --prompts.file FILE";
    fail(ExitCode::kUsage, problem);
  }
  if (text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);
  if (const std::size_t bad = find_invalid_utf8(text); bad != std::string::npos) {
    fail(ExitCode::kUsage, {.what = "prompt file is not valid UTF-8",
                            .where = fmt::format("{}, byte {}", path.string(), bad)});
  }
  std::erase(text, '\r');
  return text;
}

bool is_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(),
                                      [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
}

bool is_heading(std::string_view line) {
  return line.size() > 2 && line.front() == '[' && line.back() == ']' &&
         std::all_of(line.begin() + 1, line.end() - 1,
                     [](char c) { return (c >= 'a' && c <= 'z') || c == '.' || c == '_'; });
}

bool holds(const std::vector<std::string_view>& list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

}  // namespace

std::vector<std::string_view> prompt_placeholders(std::string_view text) {
  std::vector<std::string_view> names;
  for (std::size_t open = text.find('{'); open != std::string_view::npos;
       open = text.find('{', open + 1)) {
    const std::size_t close = text.find_first_of("{}", open + 1);
    if (close == std::string_view::npos || text[close] != '}') continue;
    const std::string_view name = text.substr(open + 1, close - open - 1);
    if (is_name(name)) names.push_back(name);
  }
  return names;
}

PromptFile::PromptFile(const std::filesystem::path& path) : where_(path.string()) {
  const std::string text = read_text(path);
  std::string* section = nullptr;
  std::size_t number = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = std::string_view(text).substr(begin, end - begin);
    begin = end + 1;
    ++number;
    if (line.starts_with(';')) continue;
    if (is_heading(line)) {
      const auto [place, is_new] =
          sections_.try_emplace(std::string(line.substr(1, line.size() - 2)));
      if (!is_new) {
        fail(ExitCode::kUsage, {.what = "section twice in a prompt file",
                                .where = fmt::format("{}:{}", where_, number),
                                .got = std::string(line)});
      }
      section = &place->second;
    } else if (section != nullptr) {
      *section += line;
      *section += '\n';
    } else if (!trimmed(line).empty()) {
      fail(ExitCode::kUsage, {.what = "text outside of a section in a prompt file",
                              .where = fmt::format("{}:{}", where_, number),
                              .expected = "a line \"[section]\" before it, or \"; comment\"",
                              .got = std::string(line)});
    }
  }
  for (auto& [name, body] : sections_) body = trimmed(body);
}

std::string PromptFile::section(const std::string& name,
                                const std::vector<std::string_view>& required,
                                const std::vector<std::string_view>& allowed) const {
  const auto refuse = [&](std::string what, std::string expected, std::string got) {
    fail(ExitCode::kUsage, {.what = std::move(what),
                            .where = fmt::format("{} [{}]", where_, name),
                            .expected = std::move(expected),
                            .got = std::move(got),
                            .fix = "docs/prompts.md has each section's placeholders"});
  };
  const auto found = sections_.find(name);
  if (found == sections_.end() || found->second.empty()) {
    refuse("section of a prompt file is missing or empty", "some text", "");
  }
  const std::vector<std::string_view> present = prompt_placeholders(found->second);
  for (const std::string_view placeholder : required) {
    const auto times = std::count(present.begin(), present.end(), placeholder);
    if (times != 1) {
      refuse("placeholder of a prompt", fmt::format("{{{}}} once", placeholder),
             fmt::format("{} times", times));
    }
  }
  for (const std::string_view placeholder : present) {
    if (holds(required, placeholder) || holds(allowed, placeholder)) continue;
    std::vector<std::string_view> known = required;
    known.insert(known.end(), allowed.begin(), allowed.end());
    refuse("placeholder that this section does not have",
           known.empty() ? "none" : fmt::format("{{{}}}", fmt::join(known, "} or {")),
           fmt::format("{{{}}}", placeholder));
  }
  return found->second;
}

void PromptFile::expect_only(const std::vector<std::string_view>& names) const {
  for (const auto& [name, text] : sections_) {
    if (holds(names, name)) continue;
    fail(ExitCode::kUsage, {.what = "unknown section in a prompt file",
                            .where = where_,
                            .expected = fmt::format("{}", fmt::join(names, ", ")),
                            .got = name});
  }
}

}  // namespace softcot
