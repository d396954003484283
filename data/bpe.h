#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "data/bpe_vocabulary.h"

namespace softcot {

/// Two tokens, as spelled in the file, that become the token of their joined spelling. Earlier
/// merges in a list are preferred.
class BpeMergeList {
 public:
  void add(std::string_view left, std::string_view right);
  std::size_t size() const { return ends_.size() / 2; }
  std::string_view left(std::size_t merge) const { return part(2 * merge); }
  std::string_view right(std::size_t merge) const { return part(2 * merge + 1); }

 private:
  std::string_view part(std::size_t index) const;

  std::string text_;
  std::vector<std::size_t> ends_;
};

/// Working memory of Bpe::encode, to be reused from word to word.
struct BpeScratch {
  struct Symbol {
    std::int32_t id;        // -1: taken up by its left neighbour
    std::int32_t previous;  // index, -1 at the ends
    std::int32_t next;
    std::int32_t rank;    // of the merge with `next`; -1: none
    std::int32_t merged;  // the token of that merge
  };
  struct Candidate {
    std::int32_t rank;
    std::int32_t left;  // index of the left symbol
  };
  std::vector<Symbol> symbols;
  std::vector<Candidate> heap;
};

/// Byte-pair encoding of single words. Immutable; safe to use from several threads.
class Bpe {
 public:
  /// With `whole_words` (`ignore_merges` of the file) a word that is itself a token is never split.
  /// `where` names the file in errors.
  /// @throws Error kInput: a merge of tokens, or into a token, that the vocabulary lacks; a pair
  /// twice.
  Bpe(BpeVocabulary vocabulary, const BpeMergeList& merges, bool whole_words,
      const std::string& where);

  /// Appends the ids of `word` (any bytes). Bytes that the vocabulary lacks are left out. Time is
  /// O(n log n) in the word's length.
  /// @throws Error kInput if the word is longer than 2^30 bytes.
  void encode(std::string_view word, BpeScratch& scratch, std::vector<std::int64_t>& ids) const;

  const BpeVocabulary& vocabulary() const { return vocabulary_; }
  /// Whether each of the 256 bytes is a token, so that no text is lost.
  bool covers_all_bytes() const;

 private:
  struct Merge {
    std::uint64_t pair = 0;  // left id, right id: 32 bits each
    std::int32_t rank = -1;  // -1: the slot is free
    std::int32_t merged = -1;
  };

  const Merge* find(std::int64_t left, std::int64_t right) const;
  std::size_t slot_of(std::uint64_t pair) const;
  void insert(const BpeMergeList& merges, std::size_t index, const std::string& where);
  void offer(BpeScratch& scratch, std::int32_t left) const;

  BpeVocabulary vocabulary_;
  std::array<std::int32_t, 256> byte_ids_{};  // -1: not in the vocabulary
  std::vector<Merge> merges_;                 // open addressing, a power of two
  bool whole_words_;
};

}  // namespace softcot
