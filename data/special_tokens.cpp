#include "data/special_tokens.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "runtime/error.h"

namespace softcot {
namespace {

const FamilyTokens kLlamaTokens{
    .placeholder = "<|end_of_text|>",
    .thoughts_begin = "<|reserved_special_token_0|>",
    .thoughts_end = "<|reserved_special_token_1|>",
    .end_of_turn = "<|eot_id|>",
    .chat = {"<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>"}};
const FamilyTokens kQwen2Tokens{.placeholder = "<|endoftext|>",
                                .thoughts_begin = "<|box_start|>",
                                .thoughts_end = "<|box_end|>",
                                .end_of_turn = "<|im_end|>",
                                .chat = {"<|im_start|>"}};
const FamilyTokens kSmollm2Tokens{.placeholder = "<|endoftext|>",
                                  .thoughts_begin = "<issue_start>",
                                  .thoughts_end = "<issue_closed>",
                                  .end_of_turn = "<|im_end|>",
                                  .chat = {"<|im_start|>"}};

}  // namespace

std::string_view family_name(Family family) {
  switch (family) {
    case Family::kLlama:
      return "llama";
    case Family::kQwen2:
      return "qwen2";
    case Family::kSmollm2:
      return "smollm2";
  }
  return "";
}

const FamilyTokens& family_tokens(Family family) {
  switch (family) {
    case Family::kLlama:
      return kLlamaTokens;
    case Family::kQwen2:
      return kQwen2Tokens;
    default:
      return kSmollm2Tokens;
  }
}

Family detect_family(const Tokenizer& tokenizer, std::string_view model_type) {
  Family family = Family::kLlama;
  if (model_type == "qwen2") {
    family = Family::kQwen2;
  } else if (model_type == "llama") {
    const bool headers = tokenizer.token_id("<|start_header_id|>").has_value();
    const bool chat_ml = tokenizer.token_id("<|im_start|>").has_value();
    if (!headers && chat_ml) family = Family::kSmollm2;
  } else {
    fail(ExitCode::kInput, {.what = "model type without a known chat format",
                            .where = tokenizer.path(),
                            .expected = "llama or qwen2",
                            .got = std::string(model_type),
                            .fix = "use a Llama 3.1/3.2, Qwen2.5 or SmolLM2 Instruct model"});
  }
  special_tokens(tokenizer, family);
  return family;
}

SpecialTokens special_tokens(const Tokenizer& tokenizer, Family family) {
  const FamilyTokens& spelled = family_tokens(family);
  std::vector<std::string_view> missing;
  const auto id_of = [&](std::string_view token) {
    const auto id = tokenizer.token_id(token);
    if (!id) missing.push_back(token);
    return id.value_or(-1);
  };
  SpecialTokens tokens{.family = family,
                       .placeholder = id_of(spelled.placeholder),
                       .thoughts_begin = id_of(spelled.thoughts_begin),
                       .thoughts_end = id_of(spelled.thoughts_end),
                       .end_of_turn = id_of(spelled.end_of_turn),
                       .stop = {}};
  for (const std::string_view token : spelled.chat) id_of(token);
  if (!missing.empty()) {
    fail(ExitCode::kInput,
         {.what =
              fmt::format("tokenizer lacks special tokens of the family {}", family_name(family)),
          .where = tokenizer.path(),
          .expected = fmt::format("{}", fmt::join(missing, " ")),
          .fix = "use an Instruct model of that family with its own tokenizer.json"});
  }
  // In all three families the placeholder is the end of text, which no chat contains otherwise.
  tokens.stop = {tokens.end_of_turn, tokens.placeholder};
  if (const auto end_of_message = tokenizer.token_id("<|eom_id|>");
      family == Family::kLlama && end_of_message) {
    tokens.stop.push_back(*end_of_message);
  }
  return tokens;
}

}  // namespace softcot
