#include "runtime/sealed_json.h"

#include <array>

#include "runtime/hash.h"

namespace softcot {
namespace {

constexpr std::size_t kDigits = 32;

/// What stands before and after the hash.
struct Spelling {
  std::string_view end;  // Of the object without a seal.
  std::string_view before;
  std::string_view after;
};

constexpr std::array<Spelling, 2> kSpellings = {Spelling{"\n}", ",\n  \"xxh3_128\": \"", "\"\n}"},
                                                Spelling{"}", ",\"xxh3_128\":\"", "\"}"}};

}  // namespace

std::string seal_json(std::string object) {
  const auto& spelling = object.ends_with(kSpellings[0].end) ? kSpellings[0] : kSpellings[1];
  object.resize(object.size() - spelling.end.size());
  const std::string hash = hash_bytes(object);
  return object.append(spelling.before).append(hash).append(spelling.after);
}

JsonSeal json_seal(std::string_view text) {
  if (text.ends_with("\n")) text.remove_suffix(1);
  for (const Spelling& spelling : kSpellings) {
    const std::size_t tail = spelling.before.size() + kDigits + spelling.after.size();
    if (text.size() < tail || !text.ends_with(spelling.after)) continue;
    const std::string_view body = text.substr(0, text.size() - tail);
    const std::string_view rest = text.substr(body.size());
    const std::string_view hash = rest.substr(spelling.before.size(), kDigits);
    if (!rest.starts_with(spelling.before)) continue;
    return hash == hash_bytes(body) ? JsonSeal::kFits : JsonSeal::kBroken;
  }
  return JsonSeal::kNone;
}

}  // namespace softcot
