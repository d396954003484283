#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace softcot {

/// Byte-level vocabularies spell each byte as one printable character: the printable bytes of
/// Latin-1 as themselves, the other 68 as U+0100 … U+0143 in the order of their values (a space is
/// "Ġ").

/// The bytes that `spelled` (UTF-8) stands for; nothing if a character is not of the alphabet.
std::optional<std::string> bytes_of_spelling(std::string_view spelled);

/// How the vocabulary spells `bytes`.
std::string spelling_of_bytes(std::string_view bytes);

}  // namespace softcot
