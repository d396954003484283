#include "runtime/error.h"

#include <fmt/format.h>

#include <utility>

namespace softcot {
namespace {

constexpr std::size_t kLongestPart = 300;

std::string one_line(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (out.size() >= kLongestPart) return out + "…";
    if (c == '\n') {
      out += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

std::string describe(const Problem& problem) {
  std::string line = one_line(problem.what);
  if (!problem.where.empty()) line += ": " + one_line(problem.where);
  const std::string expected = one_line(problem.expected);
  const std::string got = one_line(problem.got);
  if (!expected.empty() && !got.empty()) {
    line += fmt::format(" (expected {}, got {})", expected, got);
  } else if (!expected.empty()) {
    line += fmt::format(" (expected {})", expected);
  } else if (!got.empty()) {
    line += fmt::format(" (got {})", got);
  }
  if (!problem.fix.empty()) line += " — " + one_line(problem.fix);
  return line;
}

std::string format_error(ExitCode code, const Problem& problem) {
  return fmt::format("error[{}] {}", static_cast<int>(code), describe(problem));
}

Error::Error(ExitCode code, Problem problem)
    : std::runtime_error(format_error(code, problem)), code_(code), problem_(std::move(problem)) {}

void fail(ExitCode code, Problem problem) { throw Error(code, std::move(problem)); }

}  // namespace softcot
