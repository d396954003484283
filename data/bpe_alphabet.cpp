#include "data/bpe_alphabet.h"

#include <array>

#include "data/tokenizer_text.h"

namespace softcot {
namespace {

constexpr int kLetters = 0x144;  // one more than the largest character of the alphabet

struct Alphabet {
  std::array<char32_t, 256> character{};
  std::array<int, kLetters> byte{};  // -1: not of the alphabet
};

Alphabet make_alphabet() {
  Alphabet alphabet;
  alphabet.byte.fill(-1);
  char32_t next = 0x100;
  for (unsigned byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
    alphabet.character[byte] = printable ? byte : next++;
    alphabet.byte[alphabet.character[byte]] = static_cast<int>(byte);
  }
  return alphabet;
}

const Alphabet& alphabet() {
  static const Alphabet instance = make_alphabet();
  return instance;
}

}  // namespace

std::optional<std::string> bytes_of_spelling(std::string_view spelled) {
  std::string bytes;
  bytes.reserve(spelled.size());
  for (std::size_t at = 0; at < spelled.size();) {
    const CodePoint point = code_point_at(spelled, at);
    const int byte = point.value < kLetters ? alphabet().byte[point.value] : -1;
    if (byte < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(byte));
    at += point.length;
  }
  return bytes;
}

std::string spelling_of_bytes(std::string_view bytes) {
  std::string spelled;
  for (const char byte : bytes) {
    append_code_point(spelled, alphabet().character[static_cast<unsigned char>(byte)]);
  }
  return spelled;
}

}  // namespace softcot
