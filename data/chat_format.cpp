#include "data/chat_format.h"

#include <fmt/format.h>

#include "data/tokenizer_text.h"
#include "runtime/error.h"

namespace softcot {
namespace {

// What the templates' `trim` takes away: white space and the four separators U+001C … U+001F.
bool is_trimmed(char32_t value) {
  return is_white_space(value) || (value >= 0x1C && value <= 0x1F);
}

std::string trim_left(const std::string& text) {
  std::size_t begin = 0;
  while (begin < text.size()) {
    const CodePoint point = code_point_at(text, begin);
    if (!is_trimmed(point.value)) break;
    begin += point.length;
  }
  return text.substr(begin);
}

std::string trim_right(const std::string& text) {
  std::size_t end = 0;
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint point = code_point_at(text, at);
    at += point.length;
    if (!is_trimmed(point.value)) end = at;
  }
  return text.substr(0, end);
}

std::vector<ChatPiece> trimmed(std::vector<ChatPiece> content) {
  for (auto piece = content.begin(); piece != content.end() && !piece->is_token; ++piece) {
    piece->text = trim_left(piece->text);
    if (!piece->text.empty()) break;
  }
  for (auto piece = content.rbegin(); piece != content.rend() && !piece->is_token; ++piece) {
    piece->text = trim_right(piece->text);
    if (!piece->text.empty()) break;
  }
  return content;
}

void check_messages(const std::vector<ChatMessage>& messages) {
  if (messages.empty()) {
    fail(ExitCode::kInput, {.what = "chat without a message", .expected = "at least one"});
  }
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const std::string& role = messages[i].role;
    if (role == "user" || role == "assistant" || (role == "system" && i == 0)) continue;
    fail(ExitCode::kInput, {.what = "chat message with a role that is not known here",
                            .where = fmt::format("messages[{}]", i),
                            .expected = "user, assistant, or system as the first",
                            .got = role});
  }
  for (const ChatMessage& message : messages) {
    for (const ChatPiece& piece : message.content) {
      if (find_invalid_utf8(piece.text) == std::string_view::npos) continue;
      fail(ExitCode::kInput, {.what = "chat message is not valid UTF-8", .got = message.role});
    }
  }
}

class Renderer {
 public:
  void words(std::string_view text) { pieces_.push_back({std::string(text), false}); }
  void token(std::string_view spelling) { pieces_.push_back({std::string(spelling), true}); }
  void content(const std::vector<ChatPiece>& content) {
    pieces_.insert(pieces_.end(), content.begin(), content.end());
  }
  std::vector<ChatPiece> take() { return std::move(pieces_); }

 private:
  std::vector<ChatPiece> pieces_;
};

void llama_header(Renderer& out, std::string_view role) {
  out.token("<|start_header_id|>");
  out.words(role);
  out.token("<|end_header_id|>");
  out.words("\n\n");
}

std::vector<ChatPiece> render_llama(const std::vector<ChatMessage>& messages, AfterChat after) {
  Renderer out;
  out.token("<|begin_of_text|>");
  llama_header(out, "system");
  out.words("Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n");
  const bool own_system = messages.front().role == "system";
  if (own_system) out.content(trimmed(messages.front().content));
  out.token("<|eot_id|>");
  for (std::size_t i = own_system ? 1 : 0; i < messages.size(); ++i) {
    llama_header(out, messages[i].role);
    out.content(trimmed(messages[i].content));
    out.token("<|eot_id|>");
  }
  if (after == AfterChat::kGenerationPrompt) llama_header(out, "assistant");
  return out.take();
}

void chat_ml_header(Renderer& out, const std::string& role) {
  out.token("<|im_start|>");
  out.words(role + "\n");
}

std::vector<ChatPiece> render_chat_ml(std::string_view default_system,
                                      const std::vector<ChatMessage>& messages, AfterChat after) {
  Renderer out;
  const auto end = [&out] {
    out.token("<|im_end|>");
    out.words("\n");
  };
  if (messages.front().role != "system") {
    chat_ml_header(out, "system");
    out.words(default_system);
    end();
  }
  for (const ChatMessage& message : messages) {
    chat_ml_header(out, message.role);
    out.content(message.content);
    end();
  }
  if (after == AfterChat::kGenerationPrompt) chat_ml_header(out, "assistant");
  return out.take();
}

}  // namespace

std::vector<ChatPiece> render_chat(Family family, const std::vector<ChatMessage>& messages,
                                   AfterChat after) {
  check_messages(messages);
  if (family == Family::kLlama) return render_llama(messages, after);
  return render_chat_ml(
      family == Family::kQwen2
          ? "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."
          : "You are a helpful AI assistant named SmolLM, trained by Hugging Face",
      messages, after);
}

std::vector<std::int64_t> encode_chat(const Tokenizer& tokenizer,
                                      const std::vector<ChatPiece>& pieces) {
  std::vector<std::int64_t> ids;
  std::string words;
  const auto flush = [&] {
    const auto more = tokenizer.encode(words, TokensInText::kPlain);
    ids.insert(ids.end(), more.begin(), more.end());
    words.clear();
  };
  for (const ChatPiece& piece : pieces) {
    if (!piece.is_token) {
      words += piece.text;
      continue;
    }
    flush();
    const auto id = tokenizer.token_id(piece.text);
    if (!id) {
      fail(ExitCode::kInput, {.what = "tokenizer lacks a special token",
                              .where = tokenizer.path(),
                              .expected = piece.text});
    }
    ids.push_back(*id);
  }
  flush();
  return ids;
}

}  // namespace softcot
