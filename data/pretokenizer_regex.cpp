#include "data/pretokenizer_regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <fmt/format.h>
#include <pcre2.h>

#include <new>

#include "data/tokenizer_text.h"
#include "runtime/error.h"

namespace softcot {

struct PretokenizerRegex::Compiled {
  explicit Compiled(pcre2_code* owned) : code(owned) {}
  ~Compiled() { pcre2_code_free(code); }
  Compiled(const Compiled&) = delete;
  Compiled& operator=(const Compiled&) = delete;
  pcre2_code* code;
};

namespace {

std::string pcre_message(int code) {
  unsigned char text[256];
  pcre2_get_error_message(code, text, sizeof text);
  return reinterpret_cast<const char*>(text);
}

// PCRE2's own \s holds U+180E, which is no white space any more.
std::string with_unicode_white_space(std::string_view pattern) {
  std::string out;
  for (std::size_t at = 0; at < pattern.size(); ++at) {
    if (pattern[at] != '\\' || at + 1 == pattern.size()) {
      out += pattern[at];
      continue;
    }
    const char escaped = pattern[++at];
    if (escaped == 's') {
      out += "\\p{White_Space}";
    } else if (escaped == 'S') {
      out += "\\P{White_Space}";
    } else {
      out += '\\';
      out += escaped;
    }
  }
  return out;
}

}  // namespace

PretokenizerRegex::PretokenizerRegex(std::string_view pattern, std::string where)
    : where_(std::move(where)) {
  const std::string translated = with_unicode_white_space(pattern);
  int error = 0;
  std::size_t offset = 0;
  pcre2_code* code =
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
                    PCRE2_UTF | PCRE2_UCP, &error, &offset, nullptr);
  if (code == nullptr) {
    fail(ExitCode::kInput, {.what = "regular expression does not compile",
                            .where = fmt::format("{}, \"{}\"", where_, pattern),
                            .got = fmt::format("{} at offset {}", pcre_message(error), offset)});
  }
  compiled_ = std::make_shared<const Compiled>(code);
  // Without a just-in-time compiler on this machine the interpreter does the same work, slower.
  pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
}

PretokenizerRegex PretokenizerRegex::literal(std::string_view text, std::string where) {
  std::string pattern;
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x80) {
      pattern += fmt::format("\\x{{{:x}}}", static_cast<unsigned>(c));
    } else {
      pattern += c;
    }
  }
  return PretokenizerRegex(pattern, std::move(where));
}

struct PretokenizerRegex::Matcher::State {
  explicit State(const pcre2_code* code)
      : data(pcre2_match_data_create_from_pattern(code, nullptr)) {
    if (data == nullptr) throw std::bad_alloc();
  }
  ~State() {
    pcre2_match_data_free(data);
    pcre2_match_context_free(context);
    pcre2_jit_stack_free(stack);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  pcre2_match_data* data;
  pcre2_match_context* context = nullptr;  // both stay null as long as the default stack is enough
  pcre2_jit_stack* stack = nullptr;
};

PretokenizerRegex::Matcher::Matcher(const PretokenizerRegex& regex)
    : regex_(regex), state_(std::make_unique<State>(regex.compiled_->code)) {}

PretokenizerRegex::Matcher::~Matcher() = default;

// Finds the next match at or after `from`; PCRE2's result.
int PretokenizerRegex::Matcher::match(std::string_view text, std::size_t from) {
  const auto run = [&] {
    return pcre2_match(regex_.compiled_->code, reinterpret_cast<PCRE2_SPTR>(text.data()),
                       text.size(), from, PCRE2_NO_UTF_CHECK, state_->data, state_->context);
  };
  const int result = run();
  if (result != PCRE2_ERROR_JIT_STACKLIMIT || state_->stack != nullptr) return result;
  state_->context = pcre2_match_context_create(nullptr);
  state_->stack = pcre2_jit_stack_create(std::size_t{1} << 20, std::size_t{1} << 26, nullptr);
  if (state_->context == nullptr || state_->stack == nullptr) throw std::bad_alloc();
  pcre2_jit_stack_assign(state_->context, nullptr, state_->stack);
  return run();
}

void PretokenizerRegex::Matcher::for_each_part(
    std::string_view text, const std::function<void(std::string_view part, bool is_match)>& visit) {
  if (text.empty()) return;
  std::size_t done = 0;  // all before it has been visited
  std::size_t from = 0;
  while (from <= text.size()) {
    const int result = match(text, from);
    if (result == PCRE2_ERROR_NOMATCH) break;
    if (result < 0) {
      fail(ExitCode::kInput, {.what = "text cannot be cut into words",
                              .where = fmt::format("{}, at byte {}", regex_.where_, from),
                              .got = pcre_message(result)});
    }
    const std::size_t begin = pcre2_get_ovector_pointer(state_->data)[0];
    const std::size_t end = pcre2_get_ovector_pointer(state_->data)[1];
    if (begin > done) visit(text.substr(done, begin - done), false);
    done = end;
    from = end;
    if (end > begin) {
      visit(text.substr(begin, end - begin), true);
    } else if (from < text.size()) {
      from += code_point_at(text, from).length;  // an empty match cuts here, and that is all
    } else {
      break;
    }
  }
  if (done < text.size()) visit(text.substr(done), false);
}

}  // namespace softcot
