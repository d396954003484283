#include "data/bpe_vocabulary.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <limits>

#include "data/bpe_alphabet.h"
#include "runtime/error.h"

namespace softcot {
namespace {

std::uint32_t hash_of(std::string_view bytes) {
  return static_cast<std::uint32_t>(XXH3_64bits(bytes.data(), bytes.size()));
}

}  // namespace

BpeVocabulary::BpeVocabulary() : slots_(1024) {}

void BpeVocabulary::add(std::string_view spelled, std::int64_t id, const std::string& where) {
  const auto refuse = [&](std::string what, std::string expected, std::string got) {
    fail(ExitCode::kInput, {.what = std::move(what),
                            .where = fmt::format("{}, token \"{}\"", where, spelled),
                            .expected = std::move(expected),
                            .got = std::move(got),
                            .fix = "get the tokenizer.json again from where the model comes from"});
  };
  if (id < 0 || id >= kMaxIds) {
    refuse("token id out of range", fmt::format("0 to {}", kMaxIds - 1), std::to_string(id));
  }
  if (contains(id)) {
    refuse("two tokens with one id", "each id once",
           fmt::format("{} is also \"{}\"", id, this->spelled(id)));
  }
  std::optional<std::string> decoded = bytes_of_spelling(spelled);
  const Kind kind = decoded ? Kind::kBytes : Kind::kPlain;
  const std::string_view bytes = decoded ? std::string_view(*decoded) : spelled;
  if (arena_.size() + bytes.size() > std::numeric_limits<std::uint32_t>::max()) {
    refuse("vocabulary too large", "at most 4 GiB of text", "more");
  }
  if (2 * static_cast<std::size_t>(count_ + 1) > slots_.size()) grow();
  const std::uint32_t hash = hash_of(bytes);
  Slot& slot = slots_[slot_of(bytes, kind, hash)];
  if (slot.id >= 0) {
    refuse("token twice in the vocabulary", "each token once",
           fmt::format("ids {} and {}", slot.id, id));
  }
  if (id >= size()) entries_.resize(static_cast<std::size_t>(id) + 1);
  entries_[static_cast<std::size_t>(id)] = {static_cast<std::uint32_t>(arena_.size()),
                                            static_cast<std::uint32_t>(bytes.size()), kind};
  arena_ += bytes;
  slot = {static_cast<std::int32_t>(id), hash};
  ++count_;
}

bool BpeVocabulary::contains(std::int64_t id) const {
  return id >= 0 && id < size() && entries_[static_cast<std::size_t>(id)].kind != Kind::kNone;
}

std::optional<std::int64_t> BpeVocabulary::find_spelled(std::string_view spelled) const {
  const std::optional<std::string> decoded = bytes_of_spelling(spelled);
  return decoded ? find(*decoded, Kind::kBytes) : find(spelled, Kind::kPlain);
}

std::string_view BpeVocabulary::bytes(std::int64_t id) const {
  return contains(id) ? bytes_of(entries_[static_cast<std::size_t>(id)]) : std::string_view();
}

std::string BpeVocabulary::spelled(std::int64_t id) const {
  if (!contains(id)) return {};
  const bool plain = entries_[static_cast<std::size_t>(id)].kind == Kind::kPlain;
  return plain ? std::string(bytes(id)) : spelling_of_bytes(bytes(id));
}

std::optional<std::int64_t> BpeVocabulary::find(std::string_view bytes, Kind kind) const {
  const std::int32_t id = slots_[slot_of(bytes, kind, hash_of(bytes))].id;
  if (id < 0) return std::nullopt;
  return id;
}

std::size_t BpeVocabulary::slot_of(std::string_view bytes, Kind kind, std::uint32_t hash) const {
  const std::size_t mask = slots_.size() - 1;
  std::size_t slot = hash & mask;
  for (; slots_[slot].id >= 0; slot = (slot + 1) & mask) {
    if (slots_[slot].hash != hash) continue;
    const Entry& entry = entries_[static_cast<std::size_t>(slots_[slot].id)];
    if (entry.kind == kind && bytes_of(entry) == bytes) break;
  }
  return slot;
}

std::string_view BpeVocabulary::bytes_of(const Entry& entry) const {
  return std::string_view(arena_).substr(entry.begin, entry.length);
}

void BpeVocabulary::grow() {
  std::vector<Slot> old(2 * slots_.size());
  old.swap(slots_);
  const std::size_t mask = slots_.size() - 1;
  for (const Slot& moved : old) {
    if (moved.id < 0) continue;
    std::size_t slot = moved.hash & mask;
    while (slots_[slot].id >= 0) slot = (slot + 1) & mask;
    slots_[slot] = moved;
  }
}

}  // namespace softcot
