#include "data/bpe.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "runtime/error.h"

namespace softcot {
namespace {

// Order of std::push_heap and pop_heap, which keep the *largest* in front: a smaller rank comes
// first, and of equal ranks the one further left.
bool comes_later(const BpeScratch::Candidate& a, const BpeScratch::Candidate& b) {
  return a.rank != b.rank ? a.rank > b.rank : a.left > b.left;
}

}  // namespace

void BpeMergeList::add(std::string_view left, std::string_view right) {
  text_ += left;
  ends_.push_back(text_.size());
  text_ += right;
  ends_.push_back(text_.size());
}

std::string_view BpeMergeList::part(std::size_t index) const {
  const std::size_t begin = index == 0 ? 0 : ends_[index - 1];
  return std::string_view(text_).substr(begin, ends_[index] - begin);
}

Bpe::Bpe(BpeVocabulary vocabulary, const BpeMergeList& merges, bool whole_words,
         const std::string& where)
    : vocabulary_(std::move(vocabulary)),
      merges_(std::bit_ceil(2 * merges.size() + 1)),
      whole_words_(whole_words) {
  for (std::size_t byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    byte_ids_[byte] =
        static_cast<std::int32_t>(vocabulary_.find_bytes(std::string_view(&c, 1)).value_or(-1));
  }
  for (std::size_t index = 0; index < merges.size(); ++index) insert(merges, index, where);
}

void Bpe::insert(const BpeMergeList& merges, std::size_t index, const std::string& where) {
  const std::string_view left = merges.left(index);
  const std::string_view right = merges.right(index);
  const auto refuse = [&](std::string what) {
    fail(ExitCode::kInput,
         {.what = std::move(what),
          .where = fmt::format("{}, model.merges[{}] \"{} {}\"", where, index, left, right),
          .fix = "get the tokenizer.json again from where the model comes from"});
  };
  std::string joined(left);
  joined += right;
  const auto left_id = vocabulary_.find_spelled(left);
  const auto right_id = vocabulary_.find_spelled(right);
  const auto merged = vocabulary_.find_spelled(joined);
  if (!left_id || !right_id) refuse("merge of a token that the vocabulary lacks");
  if (!merged) refuse("merge into a token that the vocabulary lacks");
  const std::uint64_t pair =
      static_cast<std::uint64_t>(*left_id) << 32 | static_cast<std::uint64_t>(*right_id);
  Merge& slot = merges_[slot_of(pair)];
  if (slot.rank >= 0) refuse(fmt::format("merge given twice, first as number {}", slot.rank));
  slot = {pair, static_cast<std::int32_t>(index), static_cast<std::int32_t>(*merged)};
}

std::size_t Bpe::slot_of(std::uint64_t pair) const {
  const std::size_t mask = merges_.size() - 1;
  std::size_t slot = static_cast<std::size_t>(pair * 0x9E3779B97F4A7C15u >> 20) & mask;
  while (merges_[slot].rank >= 0 && merges_[slot].pair != pair) slot = (slot + 1) & mask;
  return slot;
}

const Bpe::Merge* Bpe::find(std::int64_t left, std::int64_t right) const {
  const Merge& slot =
      merges_[slot_of(static_cast<std::uint64_t>(left) << 32 | static_cast<std::uint64_t>(right))];
  return slot.rank >= 0 ? &slot : nullptr;
}

bool Bpe::covers_all_bytes() const {
  return std::all_of(byte_ids_.begin(), byte_ids_.end(), [](std::int32_t id) { return id >= 0; });
}

// Looks up the merge of symbol `left` with its right neighbour and, if there is one, queues it.
void Bpe::offer(BpeScratch& scratch, std::int32_t left) const {
  BpeScratch::Symbol& symbol = scratch.symbols[static_cast<std::size_t>(left)];
  symbol.rank = -1;
  if (symbol.next < 0) return;
  const Merge* merge = find(symbol.id, scratch.symbols[static_cast<std::size_t>(symbol.next)].id);
  if (merge == nullptr) return;
  symbol.rank = merge->rank;
  symbol.merged = merge->merged;
  scratch.heap.push_back({merge->rank, left});
  std::push_heap(scratch.heap.begin(), scratch.heap.end(), comes_later);
}

void Bpe::encode(std::string_view word, BpeScratch& scratch, std::vector<std::int64_t>& ids) const {
  if (whole_words_) {
    if (const auto id = vocabulary_.find_bytes(word)) {
      ids.push_back(*id);
      return;
    }
  }
  if (word.size() > std::size_t{1} << 30) {
    fail(ExitCode::kInput, {.what = "text too long to tokenize",
                            .expected = "words of at most 2^30 bytes",
                            .got = fmt::format("one of {} bytes", word.size())});
  }
  auto& symbols = scratch.symbols;
  symbols.clear();
  scratch.heap.clear();
  for (const char c : word) {
    const std::int32_t id = byte_ids_[static_cast<unsigned char>(c)];
    if (id < 0) continue;
    const auto index = static_cast<std::int32_t>(symbols.size());
    symbols.push_back({id, index - 1, index + 1, -1, -1});
  }
  if (symbols.empty()) return;
  symbols.back().next = -1;
  for (std::size_t i = 0; i < symbols.size(); ++i) offer(scratch, static_cast<std::int32_t>(i));

  while (!scratch.heap.empty()) {
    std::pop_heap(scratch.heap.begin(), scratch.heap.end(), comes_later);
    const BpeScratch::Candidate best = scratch.heap.back();
    scratch.heap.pop_back();
    BpeScratch::Symbol& left = symbols[static_cast<std::size_t>(best.left)];
    // A rank belongs to one pair: another rank here means that a neighbour has changed since.
    if (left.id < 0 || left.rank != best.rank) continue;
    BpeScratch::Symbol& right = symbols[static_cast<std::size_t>(left.next)];
    left.id = left.merged;
    left.next = right.next;
    right.id = -1;
    if (left.next >= 0) symbols[static_cast<std::size_t>(left.next)].previous = best.left;
    offer(scratch, best.left);
    if (left.previous >= 0) offer(scratch, left.previous);
  }
  for (std::int32_t at = 0; at >= 0; at = symbols[static_cast<std::size_t>(at)].next) {
    ids.push_back(symbols[static_cast<std::size_t>(at)].id);
  }
}

}  // namespace softcot
