#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "data/special_tokens.h"
#include "data/tokenizer.h"

namespace softcot {

/// A run of a rendered chat: words, or exactly one special token. Words never become tokens,
/// whatever they spell.
struct ChatPiece {
  std::string text;
  bool is_token = false;
};

struct ChatMessage {
  std::string role;  ///< "system" (the first message only), "user" or "assistant".
  std::vector<ChatPiece> content;

  static ChatMessage words(std::string role, std::string text) {
    return {std::move(role), {{std::move(text), false}}};
  }
};

enum class AfterChat {
  kNothing,
  kGenerationPrompt,  ///< Opens the assistant's turn.
};

/// The chat as the family's published chat template renders it, without tools; Llama's date is the
/// template's fixed one (26 Jul 2024), so that prompts do not change from day to day.
/// @throws Error kInput: no message, an unknown role, a system message that is not the first.
std::vector<ChatPiece> render_chat(Family family, const std::vector<ChatMessage>& messages,
                                   AfterChat after);

/// Words between two tokens are encoded as one text.
/// @throws Error kInput if the tokenizer lacks a token or the words are not UTF-8.
std::vector<std::int64_t> encode_chat(const Tokenizer& tokenizer,
                                      const std::vector<ChatPiece>& pieces);

}  // namespace softcot
