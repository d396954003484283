#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "data/tokenizer.h"

namespace softcot {

/// Models that share special tokens and a chat format.
enum class Family {
  kLlama,    ///< Llama 3.1 and 3.2 Instruct.
  kQwen2,    ///< Qwen2.5 Instruct.
  kSmollm2,  ///< SmolLM2 Instruct: Llama's architecture with ChatML.
};

std::string_view family_name(Family family);

/// How a family spells the tokens that softcot uses.
struct FamilyTokens {
  std::string_view placeholder;        ///< Its embedding is replaced by a thought.
  std::string_view thoughts_begin;     ///< Stands before the block of placeholders.
  std::string_view thoughts_end;       ///< Stands after it.
  std::string_view end_of_turn;        ///< Ends each message; last target of a training row.
  std::vector<std::string_view> chat;  ///< The others that the chat format is made of.
};
const FamilyTokens& family_tokens(Family family);

/// The same as ids of one tokenizer.
struct SpecialTokens {
  Family family;
  std::int64_t placeholder;
  std::int64_t thoughts_begin;
  std::int64_t thoughts_end;
  std::int64_t end_of_turn;
  std::vector<std::int64_t> stop;  ///< Generation ends at any of these: end of turn, end of text.
};

/// `model_type` is that of the model's `config.json` ("llama", "qwen2"); Llama's architecture is of
/// family kSmollm2 if the tokenizer speaks ChatML.
/// @throws Error kInput: a model type that is not known, or a tokenizer without the family's tokens
/// (named).
Family detect_family(const Tokenizer& tokenizer, std::string_view model_type);

/// @throws Error kInput naming all tokens of the family that the tokenizer lacks.
SpecialTokens special_tokens(const Tokenizer& tokenizer, Family family);

}  // namespace softcot
