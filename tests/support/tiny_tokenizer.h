#pragma once

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "data/bpe_alphabet.h"

namespace softcot::test {

/// A byte-level tokenizer small enough to reason about: each byte is the token of its own value,
/// then "he" 256, "ll" 257, "hell" 258, "Ġh" 259 and "12" 260, with merges in that order;
/// `specials` get the ids from 270 on. Pre-tokenizer: single digits, then ByteLevel.
inline nlohmann::json tiny_tokenizer_json(const std::vector<std::string>& specials = {
                                              "<|endoftext|>", "<|im_start|>", "<|im_end|>",
                                              "<issue_start>", "<issue_closed>"}) {
  nlohmann::json vocabulary;
  for (int byte = 0; byte < 256; ++byte) {
    vocabulary[spelling_of_bytes(std::string(1, static_cast<char>(byte)))] = byte;
  }
  int id = 256;
  for (const char* token : {"he", "ll", "hell", "Ġh", "12"}) vocabulary[token] = id++;
  nlohmann::json added = nlohmann::json::array();
  id = 270;
  for (const std::string& token : specials) {
    added.push_back({{"id", id++}, {"content", token}, {"normalized", false}, {"special", true}});
  }
  nlohmann::json description = nlohmann::json::parse(R"({
    "version": "1.0", "normalizer": null,
    "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
      {"type": "Digits", "individual_digits": true},
      {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}]},
    "decoder": {"type": "ByteLevel"},
    "model": {"type": "BPE", "dropout": null, "unk_token": null, "ignore_merges": false,
      "merges": [["h", "e"], ["l", "l"], ["he", "ll"], ["Ġ", "h"], ["1", "2"]]}})");
  description["model"]["vocab"] = std::move(vocabulary);
  description["added_tokens"] = std::move(added);
  return description;
}

/// Writes the file and gives its path back.
inline std::filesystem::path write_text(const std::filesystem::path& path,
                                        const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
  return path;
}

}  // namespace softcot::test
