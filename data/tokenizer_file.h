#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "data/bpe.h"
#include "data/bpe_vocabulary.h"

namespace softcot {

/// A Hugging Face `tokenizer.json`, read but not yet made into a tokenizer.
struct TokenizerFile {
  BpeVocabulary vocabulary;  ///< `model.vocab`
  BpeMergeList merges;       ///< `model.merges`, given as "a b" or as ["a", "b"]
  nlohmann::json rest;       ///< All else.
  std::string hash;          ///< 32 hexadecimal digits over the file's bytes (XXH3, 128 bits).
};

/// Reads the file in one pass; the two large tables never become JSON values.
/// @throws Error kInput: no such file, not JSON, not UTF-8, a table of the wrong shape, a token or
/// id twice.
TokenizerFile read_tokenizer_file(const std::filesystem::path& path);

}  // namespace softcot
