#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/tokenizer_text.h"

namespace softcot {

/// What becomes of the spelling of an added token ("<|im_end|>") inside text.
enum class TokensInText {
  kRecognized,  ///< It becomes that token.
  kPlain,       ///< It is text like any other: for words that a user wrote.
};

/// Byte-level BPE out of a Hugging Face `tokenizer.json`; gives the ids that the file's own library
/// gives. Its post-processor, truncation and padding are not applied: no token is added.
/// Immutable; safe to use from several threads.
class Tokenizer {
 public:
  /// Reads `path`, or `path/tokenizer.json` if it is a folder.
  /// @throws Error kInput: no such file, damaged, or with a component that is not known (named).
  static Tokenizer load(const std::filesystem::path& path);

  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  /// @throws Error kInput if `text` is not valid UTF-8 (the byte is named).
  std::vector<std::int64_t> encode(std::string_view text,
                                   TokensInText tokens = TokensInText::kRecognized) const;

  /// The text of all ids together, added tokens as they are spelled. Ids without a token (the rows
  /// a model's vocabulary is padded with) give nothing; bytes that are not valid UTF-8 become
  /// U+FFFD.
  std::string decode(std::span<const std::int64_t> ids) const;

  /// The raw bytes of one token, possibly a part of a character; empty if there is no such id.
  std::string_view bytes(std::int64_t id) const;

  /// By the spelling of the file: "<|im_end|>", "Ġthe".
  std::optional<std::int64_t> token_id(std::string_view spelling) const;
  /// The spelling of the file; nothing if there is no such id.
  std::optional<std::string> token(std::int64_t id) const;

  /// One more than the largest id.
  std::int64_t vocab_size() const;

  /// 32 hexadecimal digits over the file's bytes.
  const std::string& content_hash() const;
  /// The file it was read from, for messages.
  const std::string& path() const;

 private:
  struct Parts;
  explicit Tokenizer(std::unique_ptr<const Parts> parts);

  std::unique_ptr<const Parts> parts_;
};

/// Decodes ids as they are generated. All pieces together are exactly `decode` of all ids; no piece
/// ends within a character. The tokenizer outlives it.
class StreamDecoder {
 public:
  explicit StreamDecoder(const Tokenizer& tokenizer) : tokenizer_(&tokenizer) {}
  /// The text that is certain once `id` is known; may be empty.
  std::string push(std::int64_t id);
  /// What remains at the end.
  std::string finish();

 private:
  const Tokenizer* tokenizer_;
  Utf8Repair repair_;
};

}  // namespace softcot
