#pragma once

#include <string>
#include <string_view>

namespace softcot {

// A JSON object may carry, as its last field "xxh3_128", the hash of all the text before the comma
// that precedes it: then any changed byte is found, though it be a digit of a number.

/// `object`, not empty, as nlohmann::json dumps it (without indentation or with 2), with that
/// field.
std::string seal_json(std::string object);

enum class JsonSeal { kNone, kFits, kBroken };

/// Whether a text is sealed; one newline may follow it. A text whose last field was damaged itself
/// may pass for one without a seal.
JsonSeal json_seal(std::string_view text);

}  // namespace softcot
