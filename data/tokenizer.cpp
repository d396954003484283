#include "data/tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "data/bpe.h"
#include "data/bpe_alphabet.h"
#include "data/pretokenizer.h"
#include "data/tokenizer_added.h"
#include "data/tokenizer_file.h"
#include "data/tokenizer_json.h"
#include "runtime/error.h"

namespace softcot {
namespace {

constexpr std::size_t kMaxAddedTokenBytes = 1024;

bool reads_nfc(const JsonView& normalizer) {
  const std::string type = normalizer.text("type");
  if (type == "NFC") return true;
  if (type != "Sequence") normalizer.refuse("type", "\"NFC\" or none", type);
  bool nfc = false;
  for (const JsonView& part : normalizer.at("normalizers").elements()) nfc |= reads_nfc(part);
  return nfc;
}

void check_decoder(const JsonView& decoder) {
  const std::string type = decoder.text("type");
  if (type == "ByteLevel") return;
  if (type != "Sequence") decoder.refuse("type", "\"ByteLevel\"", type);
  const std::vector<JsonView> parts = decoder.at("decoders").elements();
  if (parts.size() != 1) {
    decoder.refuse("decoders", "one \"ByteLevel\"", std::to_string(parts.size()));
  }
  check_decoder(parts.front());
}

void check_model(const JsonView& model) {
  if (const std::string type = model.text("type", "BPE"); type != "BPE") {
    model.refuse("type", "\"BPE\"", type);
  }
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (const std::string affix = model.text(key, ""); !affix.empty()) {
      model.refuse(key, "none", affix);
    }
  }
  if (model.has("dropout")) model.refuse("dropout", "none", "merges dropped at random");
}

AddedToken read_added_token(const JsonView& view) {
  AddedToken token{.id = view.integer("id"),
                   .content = view.text("content"),
                   .single_word = view.flag("single_word", false),
                   .lstrip = view.flag("lstrip", false),
                   .rstrip = view.flag("rstrip", false),
                   .normalized = view.flag("normalized", true)};
  if (token.content.empty() || token.content.size() > kMaxAddedTokenBytes) {
    view.refuse("content", fmt::format("1 to {} bytes", kMaxAddedTokenBytes),
                fmt::format("{} bytes", token.content.size()));
  }
  if (token.id < 0 || token.id >= BpeVocabulary::kMaxIds) {
    view.refuse("id", fmt::format("0 to {}", BpeVocabulary::kMaxIds - 1), std::to_string(token.id));
  }
  return token;
}

}  // namespace

struct Tokenizer::Parts {
  Parts(TokenizerFile file, const std::string& where)
      : path(where),
        hash(file.hash),
        pre_tokenizer(file.rest.value("pre_tokenizer", nlohmann::json()), where),
        bpe(std::move(file.vocabulary), file.merges,
            JsonView(file.rest, where).at("model").flag("ignore_merges", false), where) {
    const JsonView view(file.rest, where);
    check_model(view.at("model"));
    check_decoder(view.at("decoder"));
    nfc = view.has("normalizer") && reads_nfc(view.at("normalizer"));
    const JsonView model = view.at("model");
    const bool unknowns = model.has("unk_token") || model.flag("byte_fallback", false);
    if (unknowns && !bpe.covers_all_bytes()) {
      model.refuse("unk_token", "a vocabulary with all 256 bytes", "one without");
    }
    size = bpe.vocabulary().size();
    if (view.has("added_tokens")) {
      for (const JsonView& token : view.at("added_tokens").elements()) add(token);
    }
    if (size == 0) model.refuse("vocab", "at least one token", "none");
  }

  void add(const JsonView& view) {
    const AddedToken token = read_added_token(view);
    const auto in_model = bpe.vocabulary().find_spelled(token.content);
    if (in_model ? *in_model != token.id : bpe.vocabulary().contains(token.id)) {
      view.refuse("id", in_model ? fmt::format("{}, as in model.vocab", *in_model) : "an unused id",
                  std::to_string(token.id));
    }
    if (!added_ids.emplace(token.content, token.id).second) {
      view.refuse("content", "each token once", token.content);
    }
    if (!added_spellings.emplace(token.id, token.content).second) {
      view.refuse("id", "each id once", std::to_string(token.id));
    }
    added_bytes.emplace(token.id, bytes_of_spelling(token.content).value_or(token.content));
    size = std::max(size, token.id + 1);
    if (token.normalized) {
      added_after.add(token, nfc ? to_nfc(token.content) : token.content);
    } else {
      added_before.add(token, token.content);
    }
  }

  void encode_plain(std::string_view text, BpeScratch& scratch,
                    std::vector<std::int64_t>& ids) const {
    for (const std::string_view word : pre_tokenizer.cut(text).words) {
      bpe.encode(word, scratch, ids);
    }
  }

  std::string path;
  std::string hash;
  PreTokenizer pre_tokenizer;
  Bpe bpe;
  bool nfc = false;
  std::int64_t size = 0;
  AddedTokenMatcher added_before;  // matched in the text as it comes
  AddedTokenMatcher added_after;   // matched in normalized text
  std::unordered_map<std::string, std::int64_t> added_ids;
  std::unordered_map<std::int64_t, std::string> added_spellings;
  std::unordered_map<std::int64_t, std::string> added_bytes;
};

Tokenizer::Tokenizer(std::unique_ptr<const Parts> parts) : parts_(std::move(parts)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

Tokenizer Tokenizer::load(const std::filesystem::path& path) {
  std::error_code ignored;
  const bool folder = std::filesystem::is_directory(path, ignored);
  const std::filesystem::path file = folder ? path / "tokenizer.json" : path;
  return Tokenizer(std::make_unique<const Parts>(read_tokenizer_file(file), file.string()));
}

std::vector<std::int64_t> Tokenizer::encode(std::string_view text, TokensInText tokens) const {
  if (const std::size_t bad = find_invalid_utf8(text); bad != std::string_view::npos) {
    fail(ExitCode::kInput, {.what = "text is not valid UTF-8",
                            .where = fmt::format("byte {} of the text", bad),
                            .got = fmt::format("0x{:02x}", static_cast<unsigned char>(text[bad]))});
  }
  std::vector<std::int64_t> ids;
  ids.reserve(text.size() / 3 + 1);
  BpeScratch scratch;
  const auto normalized = [&](std::string_view part) {
    return parts_->nfc ? to_nfc(part) : std::string(part);
  };
  if (tokens == TokensInText::kPlain) {
    parts_->encode_plain(normalized(text), scratch, ids);
    return ids;
  }
  const auto plain_or_token = [&](std::string_view part, std::optional<std::int64_t> id) {
    id ? ids.push_back(*id) : parts_->encode_plain(part, scratch, ids);
  };
  parts_->added_before.for_each_part(
      text, [&](std::string_view part, std::optional<std::int64_t> id) {
        if (id) {
          ids.push_back(*id);
        } else {
          parts_->added_after.for_each_part(normalized(part), plain_or_token);
        }
      });
  return ids;
}

std::string Tokenizer::decode(std::span<const std::int64_t> ids) const {
  StreamDecoder decoder(*this);
  std::string text;
  for (const std::int64_t id : ids) text += decoder.push(id);
  return text + decoder.finish();
}

std::string_view Tokenizer::bytes(std::int64_t id) const {
  const auto added = parts_->added_bytes.find(id);
  return added != parts_->added_bytes.end() ? std::string_view(added->second)
                                            : parts_->bpe.vocabulary().bytes(id);
}

std::optional<std::int64_t> Tokenizer::token_id(std::string_view spelling) const {
  const auto added = parts_->added_ids.find(std::string(spelling));
  if (added != parts_->added_ids.end()) return added->second;
  if (find_invalid_utf8(spelling) != std::string_view::npos) return std::nullopt;
  return parts_->bpe.vocabulary().find_spelled(spelling);
}

std::optional<std::string> Tokenizer::token(std::int64_t id) const {
  const auto added = parts_->added_spellings.find(id);
  if (added != parts_->added_spellings.end()) return added->second;
  if (!parts_->bpe.vocabulary().contains(id)) return std::nullopt;
  return parts_->bpe.vocabulary().spelled(id);
}

std::int64_t Tokenizer::vocab_size() const { return parts_->size; }
const std::string& Tokenizer::content_hash() const { return parts_->hash; }
const std::string& Tokenizer::path() const { return parts_->path; }

std::string StreamDecoder::push(std::int64_t id) {
  std::string text;
  repair_.append(tokenizer_->bytes(id), text);
  return text;
}

std::string StreamDecoder::finish() {
  std::string text;
  repair_.finish(text);
  return text;
}

}  // namespace softcot
