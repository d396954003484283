#include "data/row.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/error.h"
#include "runtime/hash.h"

namespace softcot {
namespace {

void append_placeholders(std::vector<ChatPiece>& content, const FamilyTokens& tokens,
                         std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) content.push_back({std::string(tokens.placeholder), true});
}

void require_thoughts(std::int64_t n, std::int64_t least) {
  if (n >= least) return;
  fail(ExitCode::kUsage, {.what = "number of thoughts out of range",
                          .where = "thoughts.count",
                          .expected = fmt::format("at least {}", least),
                          .got = std::to_string(n)});
}

}  // namespace

RowBuilder::RowBuilder(const Tokenizer& tokenizer, Family family, const PromptTemplate& prompt,
                       const TrainingQuirks& quirks)
    : tokenizer_(tokenizer),
      prompt_(prompt),
      tokens_(special_tokens(tokenizer, family)),
      quirks_(quirks) {
  const auto ids = [&](AfterChat after) {
    return encode_chat(tokenizer, render_chat(family, {ChatMessage::words("user", "")}, after));
  };
  turn_opening_ = ids(AfterChat::kGenerationPrompt);
  turn_opening_.erase(
      turn_opening_.begin(),
      turn_opening_.begin() + static_cast<std::ptrdiff_t>(ids(AfterChat::kNothing).size()));
}

Row RowBuilder::assistant_row(const Record& record, std::int64_t n) const {
  require_thoughts(n, 1);
  std::vector<ChatPiece> chat =
      render_chat(tokens_.family, {ChatMessage::words("user", prompt_.assistant_user(record, n))},
                  AfterChat::kGenerationPrompt);
  chat.push_back({prompt_.assistant_reply(n), false});
  append_placeholders(chat, family_tokens(tokens_.family), n);
  return finish(record, chat, n);
}

Row RowBuilder::backbone_prompt(const Record& record, std::int64_t n) const {
  require_thoughts(n, 0);
  const FamilyTokens& spelled = family_tokens(tokens_.family);
  const SplitText user = prompt_.backbone_user(record, n > 0);
  std::vector<ChatPiece> content = {{user.before, false}};
  if (n > 0) {
    content.push_back({std::string(spelled.thoughts_begin), true});
    append_placeholders(content, spelled, n);
    content.push_back({std::string(spelled.thoughts_end), true});
  }
  content.push_back({user.after, false});
  return finish(
      record,
      render_chat(tokens_.family, {{"user", std::move(content)}}, AfterChat::kGenerationPrompt), n);
}

Row RowBuilder::backbone_row(const Record& record, std::int64_t n) const {
  Row row = backbone_prompt(record, n);
  append_targets(row, prompt_.target(record));
  train_turn_opening(row);
  return row;
}

Row RowBuilder::writing_prompt(const Record& record, std::int64_t n) const {
  require_thoughts(n, 1);
  return finish(
      record,
      render_chat(tokens_.family, {ChatMessage::words("user", prompt_.assistant_write(record, n))},
                  AfterChat::kGenerationPrompt),
      0);
}

Row RowBuilder::backbone_row_with(const Record& record, const std::string& written) const {
  Row row =
      finish(record,
             render_chat(tokens_.family,
                         {ChatMessage::words("user", prompt_.backbone_user_with(record, written))},
                         AfterChat::kGenerationPrompt),
             0);
  append_targets(row, prompt_.target(record));
  train_turn_opening(row);
  return row;
}

Row RowBuilder::latent_prompt(const Record& record, std::int64_t latents, bool markers) const {
  const FamilyTokens& spelled = family_tokens(tokens_.family);
  const SplitText user = prompt_.backbone_user(record, false);
  auto chat = render_chat(tokens_.family, {ChatMessage::words("user", user.before + user.after)},
                          AfterChat::kGenerationPrompt);
  if (markers) chat.push_back({std::string(spelled.thoughts_begin), true});
  append_placeholders(chat, spelled, latents);
  if (markers) chat.push_back({std::string(spelled.thoughts_end), true});
  return finish(record, chat, latents);
}

Row RowBuilder::latent_row(const Record& record, std::int64_t hidden, std::int64_t latents,
                           bool markers) const {
  Row row = latent_prompt(record, latents, markers);
  append_targets(row, prompt_.target(record, hidden));
  return row;
}

void RowBuilder::append_targets(Row& row, const std::string& text) const {
  const auto targets = tokenizer_.encode(text, TokensInText::kPlain);
  row.ids.insert(row.ids.end(), targets.begin(), targets.end());
  const bool ends_with_turn = tokens_.family == Family::kLlama;
  if (!quirks_.last_token_cut || !ends_with_turn) row.ids.push_back(tokens_.end_of_turn);
}

void RowBuilder::train_turn_opening(Row& row) const {
  if (!quirks_.turn_opening_trained) return;
  row.target_begin -= static_cast<std::int64_t>(turn_opening_.size());
}

// Words are encoded without special tokens, so the only placeholders are those of the chat's
// pieces.
Row RowBuilder::finish(const Record& record, const std::vector<ChatPiece>& chat,
                       std::int64_t n) const {
  Row row{.id = record.id, .ids = encode_chat(tokenizer_, chat), .thoughts = {}, .target_begin = 0};
  row.target_begin = row.length();
  const auto first = std::find(row.ids.begin(), row.ids.end(), tokens_.placeholder);
  const auto last = std::find_if(first, row.ids.end(),
                                 [&](std::int64_t id) { return id != tokens_.placeholder; });
  if (last - first != n || std::find(last, row.ids.end(), tokens_.placeholder) != row.ids.end()) {
    fail(ExitCode::kInternal, {.what = "placeholders are not one block",
                               .where = record.id,
                               .expected = std::to_string(n),
                               .got = std::to_string(last - first)});
  }
  if (n > 0) row.thoughts = {first - row.ids.begin(), n};
  return row;
}

std::int64_t longest_common_prefix(std::span<const Row> rows) {
  if (rows.empty()) return 0;
  const Row& model = rows.front();
  std::int64_t length = model.length();
  for (const Row& row : rows) {
    length = std::min(length, row.target_begin);
    if (row.thoughts.count > 0) length = std::min(length, row.thoughts.begin);
    const auto begin = model.ids.begin();
    length = std::mismatch(begin, begin + length, row.ids.begin()).first - begin;
  }
  return length;
}

std::string content_hash(std::span<const Row> rows) {
  Hasher hasher;
  for (const Row& row : rows) {
    hasher.add(static_cast<std::uint64_t>(row.id.size()));
    hasher.add(row.id);
    for (const std::int64_t number :
         {row.thoughts.begin, row.thoughts.count, row.target_begin, row.length()}) {
      hasher.add(static_cast<std::uint64_t>(number));
    }
    hasher.add(std::as_bytes(std::span(row.ids)));
  }
  return hasher.hex();
}

bool row_fits(const Row& row, std::int64_t max_tokens, OnLongRow policy) {
  if (row.length() <= max_tokens) return true;
  if (policy == OnLongRow::kSkip) return false;
  fail(ExitCode::kInput,
       {.what = "row longer than the limit",
        .where = row.id,
        .expected = fmt::format("at most {} tokens", max_tokens),
        .got = std::to_string(row.length()),
        .fix = "raise --data.max-length, or leave the backbone's long rows out with "
               "--data.on-long-row skip"});
}

}  // namespace softcot
