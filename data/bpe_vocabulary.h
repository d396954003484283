#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace softcot {

/// The tokens of a byte-level model: their ids and the bytes they stand for. A token whose spelling
/// uses a character outside the byte alphabet stands for its own UTF-8 and is never made from text.
class BpeVocabulary {
 public:
  /// Ids are below this, so that a damaged file cannot ask for all the memory there is.
  static constexpr std::int64_t kMaxIds = std::int64_t{1} << 22;

  BpeVocabulary();

  /// `spelled` is valid UTF-8. `where` names the file and key in errors.
  /// @throws Error kInput: a token or an id twice, an id outside [0, kMaxIds).
  void add(std::string_view spelled, std::int64_t id, const std::string& where);

  /// Number of tokens.
  std::int64_t count() const { return count_; }
  /// One more than the largest id.
  std::int64_t size() const { return static_cast<std::int64_t>(entries_.size()); }

  bool contains(std::int64_t id) const;
  std::optional<std::int64_t> find_spelled(std::string_view spelled) const;
  /// The token that text of these bytes becomes.
  std::optional<std::int64_t> find_bytes(std::string_view bytes) const {
    return find(bytes, Kind::kBytes);
  }
  /// Empty if there is no such id.
  std::string_view bytes(std::int64_t id) const;
  std::string spelled(std::int64_t id) const;

 private:
  enum class Kind : std::uint8_t { kNone, kBytes, kPlain };
  struct Entry {
    std::uint32_t begin = 0;
    std::uint32_t length = 0;
    Kind kind = Kind::kNone;
  };

  struct Slot {
    std::int32_t id = -1;    // -1: free
    std::uint32_t hash = 0;  // spares most looks at other tokens' bytes
  };

  std::optional<std::int64_t> find(std::string_view bytes, Kind kind) const;
  std::size_t slot_of(std::string_view bytes, Kind kind, std::uint32_t hash) const;
  std::string_view bytes_of(const Entry& entry) const;
  void grow();

  std::string arena_;
  std::vector<Entry> entries_;  // by id
  std::vector<Slot> slots_;     // open addressing, a power of two
  std::int64_t count_ = 0;
};

}  // namespace softcot
