#include "support/event_files.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string_view>

namespace softcot::test {
namespace {

/// Reads a protocol buffer field by field.
class Message {
 public:
  explicit Message(std::string_view bytes) : bytes_(bytes) {}

  /// Moves to the next field; false at the end.
  bool next() {
    if (bytes_.empty()) return false;
    const std::uint64_t key = number();
    field = static_cast<int>(key >> 3);
    const auto wire = key & 7;
    if (wire == 0) {
      integer = number();
    } else {
      content = take(wire == 1 ? 8 : wire == 5 ? 4 : number());
    }
    return true;
  }

  int field = 0;
  std::uint64_t integer = 0;
  std::string_view content;

 private:
  std::uint64_t number() {
    std::uint64_t value = 0;
    for (int shift = 0; !bytes_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(take(1)[0]);
      value |= std::uint64_t{byte & 0x7fu} << shift;
      if (byte < 0x80) break;
    }
    return value;
  }
  std::string_view take(std::uint64_t size) {
    const std::string_view taken = bytes_.substr(0, size);
    bytes_.remove_prefix(taken.size());
    return taken;
  }

  std::string_view bytes_;
};

void add_event(std::vector<EventScalar>& all, std::string_view bytes) {
  std::int64_t step = 0;
  for (Message event(bytes); event.next();) {
    if (event.field == 2) step = static_cast<std::int64_t>(event.integer);
    if (event.field != 5) continue;
    for (Message summary(event.content); summary.next();) {
      EventScalar scalar{step, {}, 0};
      for (Message value(summary.content); value.next();) {
        if (value.field == 1) scalar.tag = value.content;
        if (value.field == 2) std::memcpy(&scalar.value, value.content.data(), sizeof(float));
      }
      all.push_back(scalar);
    }
  }
}

}  // namespace

std::vector<EventScalar> event_scalars(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  if (std::filesystem::exists(folder)) {
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  std::vector<EventScalar> all;
  for (const auto& path : files) {
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    const std::string bytes = text.str();
    for (std::size_t at = 0; at + 16 <= bytes.size();) {
      std::uint64_t size = 0;
      std::memcpy(&size, bytes.data() + at, sizeof(size));
      if (size > bytes.size() - at - 16) break;
      add_event(all, std::string_view(bytes).substr(at + 12, size));
      at += size + 16;
    }
  }
  return all;
}

}  // namespace softcot::test
