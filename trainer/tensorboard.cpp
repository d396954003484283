#include "trainer/tensorboard.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <optional>
#include <utility>
#include <vector>

#include "runtime/append_file.h"
#include "runtime/atomic_file.h"
#include "runtime/log.h"

namespace softcot {
namespace {

constexpr std::uint64_t kLargestFile = std::uint64_t{1} << 32;
constexpr std::string_view kFileName = "events.out.tfevents.";
constexpr std::size_t kHead = 12;  // bytes before those of a record
constexpr std::size_t kTail = 4;

/// The CRC of each byte by itself; 0x82f63b78 is the polynomial with its bits reversed.
constexpr std::array<std::uint32_t, 256> kTable = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78u : 0u);
    table[byte] = crc;
  }
  return table;
}();

/// So that the CRC of bytes that hold CRCs is none of them.
std::uint32_t masked(std::uint32_t crc) { return std::rotr(crc, 15) + 0xa282ead8u; }

template <typename Number>
std::string little_endian(Number number) {
  std::string bytes;
  for (std::size_t i = 0; i < sizeof(Number); ++i) {
    bytes += static_cast<char>((number >> (8 * i)) & 0xff);
  }
  return bytes;
}

std::uint64_t number_at(std::string_view bytes, std::size_t at, std::size_t size) {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < size; ++i) {
    number |= std::uint64_t{static_cast<unsigned char>(bytes[at + i])} << (8 * i);
  }
  return number;
}

// Protocol buffers: a key holds the field's number and its wire type.
enum class Wire { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

std::string varint(std::uint64_t number) {
  std::string bytes;
  for (; number >= 0x80; number >>= 7) bytes += static_cast<char>((number & 0x7f) | 0x80);
  return bytes + static_cast<char>(number);
}

std::string key(int field, Wire wire) {
  return varint(static_cast<std::uint64_t>(field) << 3 | static_cast<std::uint64_t>(wire));
}

std::string field_of_bytes(int field, const std::string& bytes) {
  return key(field, Wire::kBytes) + varint(bytes.size()) + bytes;
}

std::string wall_time_field(double wall_time) {
  return key(1, Wire::kFixed64) + little_endian(std::bit_cast<std::uint64_t>(wall_time));
}

std::string version_event(double wall_time) {
  return wall_time_field(wall_time) + field_of_bytes(3, "brain.Event:2");
}

/// Event {wall_time = 1, step = 2, summary = 5 {value = 1 {tag = 1, simple_value = 2}}}.
std::string scalar_event(std::int64_t step, const std::map<std::string, double>& values,
                         double wall_time) {
  std::string summary;
  for (const auto& [tag, value] : values) {
    const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(value));
    summary +=
        field_of_bytes(1, field_of_bytes(1, tag) + key(2, Wire::kFixed32) + little_endian(bits));
  }
  return wall_time_field(wall_time) + key(2, Wire::kVarint) +
         varint(static_cast<std::uint64_t>(step)) + field_of_bytes(5, summary);
}

/// The step of an event that we wrote; nothing for one without.
std::optional<std::int64_t> step_of(std::string_view event) {
  constexpr std::size_t kAfterTime = 9;
  if (event.size() <= kAfterTime || event[kAfterTime] != key(2, Wire::kVarint)[0]) return {};
  std::uint64_t step = 0;
  for (std::size_t at = kAfterTime + 1, shift = 0; at < event.size(); ++at, shift += 7) {
    const auto byte = static_cast<unsigned char>(event[at]);
    step |= std::uint64_t{byte & 0x7fu} << shift;
    if (byte < 0x80) return static_cast<std::int64_t>(step);
  }
  return {};
}

/// The whole records of a file whose events are of this step or earlier.
std::string kept_records(std::string_view file, std::int64_t last) {
  std::string kept;
  while (file.size() >= kHead + kTail) {
    const std::uint64_t size = number_at(file, 0, 8);
    const bool whole = number_at(file, 8, 4) == masked(crc32c(file.substr(0, 8))) &&
                       size <= file.size() - kHead - kTail;
    if (!whole) break;
    const std::string_view record = file.substr(0, kHead + size + kTail);
    const auto step = step_of(record.substr(kHead, size));
    if (!step || *step <= last) kept += record;
    file.remove_prefix(record.size());
  }
  return kept;
}

std::vector<std::filesystem::path> event_files(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  if (!std::filesystem::is_directory(folder)) return files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().filename().string().starts_with(kFileName)) {
      files.push_back(entry.path());
    }
  }
  return files;
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  std::uint32_t crc = 0xffffffffu;
  for (const char byte : bytes) {
    crc = kTable[(crc ^ static_cast<unsigned char>(byte)) & 0xff] ^ (crc >> 8);
  }
  return ~crc;
}

std::string tfrecord(std::string_view bytes) {
  const std::string length = little_endian(static_cast<std::uint64_t>(bytes.size()));
  return length + little_endian(masked(crc32c(length))) + std::string(bytes) +
         little_endian(masked(crc32c(bytes)));
}

TensorboardLog::TensorboardLog(std::filesystem::path folder) : folder_(std::move(folder)) {}

void TensorboardLog::drop_from_step(std::int64_t step) {
  if (folder_.empty()) return;
  for (const auto& file : event_files(folder_)) {
    if (step == 0) {
      std::filesystem::remove(file);
    } else {
      write_file_atomically(file, kept_records(read_file(file, kLargestFile), step));
    }
  }
}

void TensorboardLog::write(std::int64_t step, const std::map<std::string, double>& values,
                           double wall_time) {
  if (folder_.empty() || values.empty()) return;
  std::string records;
  std::filesystem::path file = file_;
  if (file.empty()) {
    std::error_code ignored;  // The append fails too and says so.
    std::filesystem::create_directories(folder_, ignored);
    // Readers take the files of a folder in the order of their names, which begin with the time.
    auto time = static_cast<std::int64_t>(wall_time);
    for (const auto& other : event_files(folder_)) {
      const std::string digits = other.filename().string().substr(kFileName.size(), 10);
      time = std::max<std::int64_t>(time, std::strtoll(digits.c_str(), nullptr, 10) + 1);
    }
    file = folder_ / fmt::format("{}{:010}.softcot", kFileName, time);
    records += tfrecord(version_event(wall_time));
  }
  if (append_to_file(file, records + tfrecord(scalar_event(step, values, wall_time)))) {
    file_ = file;
  } else if (!warned_) {
    warned_ = true;
    log_warning("cannot write {}: the run goes on without it", file.string());
  }
}

}  // namespace softcot
