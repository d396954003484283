#include "data/row_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <span>
#include <string_view>

namespace softcot {
namespace {

std::set<std::int64_t> special_ids(const Tokenizer& tokenizer, Family family) {
  const FamilyTokens& spelled = family_tokens(family);
  std::vector<std::string_view> all = spelled.chat;
  for (const auto token :
       {spelled.placeholder, spelled.thoughts_begin, spelled.thoughts_end, spelled.end_of_turn}) {
    all.push_back(token);
  }
  std::set<std::int64_t> ids;
  for (const std::string_view token : all) {
    if (const auto id = tokenizer.token_id(token)) ids.insert(*id);
  }
  return ids;
}

std::string visible(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool control = (c >= 0 && c < ' ' && c != '\n' && c != '\t') || c == '\x7f';
    out += control ? "\uFFFD" : std::string(1, c);
  }
  return out;
}

std::string words_of(const TextRun& run) {
  if (run.kind != TokenKind::kThought) return visible(run.text);
  return fmt::format("{} ×{}", run.text, run.tokens);
}

std::string plain_text(const std::vector<TextRun>& runs) {
  std::string out;
  bool trained = false;
  for (const TextRun& run : runs) {
    if (run.trained != trained) out += run.trained ? "«" : "»";
    trained = run.trained;
    out += run.kind == TokenKind::kWords ? words_of(run) : fmt::format("⟦{}⟧", words_of(run));
  }
  return trained ? out + "»" : out;
}

std::string_view colour_of(const TextRun& run) {
  if (run.kind == TokenKind::kThought) return "\x1b[1;35m";
  if (run.kind == TokenKind::kSpecial) return run.trained ? "\x1b[1;32m" : "\x1b[36m";
  return run.trained ? "\x1b[32m" : "";
}

std::string coloured_text(const std::vector<TextRun>& runs) {
  std::string out;
  for (const TextRun& run : runs) {
    const std::string_view colour = colour_of(run);
    out += colour;
    out += words_of(run);
    if (!colour.empty()) out += "\x1b[0m";
  }
  return out;
}

}  // namespace

std::vector<TextRun> row_runs(const Tokenizer& tokenizer, Family family, const Row& row) {
  const std::set<std::int64_t> special = special_ids(tokenizer, family);
  const std::int64_t thoughts_end = row.thoughts.begin + row.thoughts.count;
  const auto kind_at = [&](std::int64_t at) {
    if (at >= row.thoughts.begin && at < thoughts_end) return TokenKind::kThought;
    const bool is_special = special.contains(row.ids[static_cast<std::size_t>(at)]);
    return is_special ? TokenKind::kSpecial : TokenKind::kWords;
  };
  std::vector<TextRun> runs;
  for (std::int64_t begin = 0; begin < row.length();) {
    const TokenKind kind = kind_at(begin);
    const bool trained = begin >= row.target_begin;
    std::int64_t end = begin + 1;
    while (kind != TokenKind::kSpecial && end < row.length() && kind_at(end) == kind &&
           (end >= row.target_begin) == trained) {
      ++end;
    }
    const auto ids = std::span(row.ids).subspan(static_cast<std::size_t>(begin),
                                                static_cast<std::size_t>(end - begin));
    runs.push_back({.kind = kind,
                    .trained = trained,
                    .text = tokenizer.decode(kind == TokenKind::kThought ? ids.first(1) : ids),
                    .tokens = end - begin});
    begin = end;
  }
  return runs;
}

std::string row_text(const std::vector<TextRun>& runs, RowMarks marks) {
  return marks == RowMarks::kPlain ? plain_text(runs) : coloured_text(runs);
}

std::string row_legend(RowMarks marks) {
  const std::vector<TextRun> runs = {
      {.kind = TokenKind::kSpecial, .trained = false, .text = "special token", .tokens = 1},
      {.kind = TokenKind::kWords, .trained = false, .text = "  ", .tokens = 1},
      {.kind = TokenKind::kThought, .trained = false, .text = "thought placeholders", .tokens = 4},
      {.kind = TokenKind::kWords, .trained = false, .text = "  ", .tokens = 1},
      {.kind = TokenKind::kWords, .trained = true, .text = "trained tokens", .tokens = 1}};
  return row_text(runs, marks);
}

}  // namespace softcot
