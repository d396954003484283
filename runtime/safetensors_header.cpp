#include "runtime/safetensors_header.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "runtime/error.h"

namespace softcot {
namespace {

constexpr std::size_t kLengthBytes = 8;
constexpr std::size_t kMaxDepth = 127;  // the reference library's parser stops here

[[noreturn]] void refuse(const std::string& where, std::string what, std::string got = {}) {
  fail(ExitCode::kInput, {.what = std::move(what), .where = where, .got = std::move(got)});
}

/// Takes the header's JSON apart as it is read: no tree of it is ever built.
class HeaderReader final : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit HeaderReader(SafetensorsHeader& header) : header_(header) {}

  const std::string& problem() const { return problem_; }
  bool failed() const { return !problem_.empty(); }

  bool null() override { return place_ == Place::kTop ? leave_name() : scalar("null"); }
  bool boolean(bool) override { return scalar("true or false"); }
  bool number_integer(number_integer_t) override { return scalar("a negative number"); }
  bool number_float(number_float_t, const string_t&) override {
    return scalar("a number that is not whole");
  }
  bool binary(binary_t&) override { return stop("binary data"); }
  bool number_unsigned(number_unsigned_t value) override;
  bool string(string_t& value) override;
  bool start_object(std::size_t) override;
  bool key(string_t& name) override;
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override;
  bool end_array() override { return close(); }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    if (failed()) return false;
    return stop(fmt::format("header is not valid JSON at its byte {}", position));
  }

 private:
  enum class Place { kStart, kTop, kMetadata, kTensor, kShape, kOffsets, kIgnored, kEnd };
  enum Field : unsigned { kNoField = 0, kDtype = 1, kShapeField = 2, kOffsetsField = 4 };

  bool stop(std::string problem) {
    if (problem_.empty()) problem_ = std::move(problem);
    return false;
  }
  std::string here() const { return "tensor \"" + entry_.name + "\""; }
  bool unwanted(const std::string& got) { return stop(here() + ": unexpected " + got); }
  /// A value that has no place but in a field we do not know.
  bool scalar(const char* kind) {
    if (place_ == Place::kIgnored) return true;
    if (place_ == Place::kMetadata) return stop(std::string("__metadata__ holds ") + kind);
    if (place_ == Place::kTensor && field_ == kNoField) return true;
    return place_ == Place::kStart ? stop("header is not a JSON object") : unwanted(kind);
  }
  /// null is allowed as the whole of __metadata__ only.
  bool leave_name() { return entry_.name == "__metadata__" || unwanted("null"); }
  bool deeper() { return ++depth_ <= kMaxDepth || stop("header is nested too deeply"); }
  bool close();
  bool finish_tensor();

  SafetensorsHeader& header_;
  std::string problem_;
  Place place_ = Place::kStart;
  std::size_t depth_ = 0;
  std::size_t ignored_from_ = 0;
  SafetensorsEntry entry_;
  unsigned seen_ = 0;
  Field field_ = kNoField;
  std::size_t offsets_ = 0;
  std::string metadata_key_;
  std::unordered_set<std::string> names_;
  std::vector<std::unordered_set<std::string>> ignored_keys_;
  std::unordered_set<std::string> other_fields_;
};

bool HeaderReader::number_unsigned(number_unsigned_t value) {
  if (place_ == Place::kShape) {
    entry_.shape.push_back(value);
    return true;
  }
  if (place_ == Place::kOffsets) {
    if (offsets_ > 1) return stop(here() + ": more than two data offsets");
    (offsets_++ == 0 ? entry_.begin : entry_.end) = value;
    return true;
  }
  return scalar("a number");
}

bool HeaderReader::string(string_t& value) {
  if (place_ == Place::kMetadata) {
    header_.metadata.emplace(std::move(metadata_key_), std::move(value));
    return true;
  }
  if (place_ == Place::kTensor && field_ == kDtype) {
    if (dtype_of_name(value, entry_.dtype)) return true;
    return stop(here() + ": unknown dtype \"" + value + "\"");
  }
  return scalar("a string");
}

bool HeaderReader::start_object(std::size_t) {
  if (!deeper()) return false;
  if (place_ == Place::kStart) {
    place_ = Place::kTop;
  } else if (place_ == Place::kTop) {
    place_ = entry_.name == "__metadata__" ? Place::kMetadata : Place::kTensor;
    seen_ = 0;
    other_fields_.clear();
  } else if (place_ == Place::kTensor && field_ == kNoField) {
    place_ = Place::kIgnored;
    ignored_from_ = depth_;
    ignored_keys_.assign(1, {});
  } else if (place_ == Place::kIgnored) {
    ignored_keys_.emplace_back();
  } else {
    return place_ == Place::kMetadata ? stop("__metadata__ holds an object") : unwanted("object");
  }
  return true;
}

bool HeaderReader::start_array(std::size_t) {
  if (!deeper()) return false;
  if (place_ == Place::kTensor && field_ == kShapeField) {
    place_ = Place::kShape;
  } else if (place_ == Place::kTensor && field_ == kOffsetsField) {
    place_ = Place::kOffsets;
    offsets_ = 0;
  } else if (place_ == Place::kTensor && field_ == kNoField) {
    place_ = Place::kIgnored;
    ignored_from_ = depth_;
    ignored_keys_.assign(1, {});
  } else if (place_ == Place::kIgnored) {
    ignored_keys_.emplace_back();
  } else {
    return scalar("a list");
  }
  return true;
}

bool HeaderReader::key(string_t& name) {
  bool fresh = true;
  if (place_ == Place::kTop) {
    fresh = names_.insert(name).second;
    entry_ = {};
    entry_.name = name;
  } else if (place_ == Place::kMetadata) {
    fresh = !header_.metadata.contains(name);
    metadata_key_ = name;
  } else if (place_ == Place::kIgnored) {
    fresh = ignored_keys_.back().insert(name).second;
  } else {
    field_ = name == "dtype"          ? kDtype
             : name == "shape"        ? kShapeField
             : name == "data_offsets" ? kOffsetsField
                                      : kNoField;
    fresh = field_ == kNoField ? other_fields_.insert(name).second : (seen_ & field_) == 0;
    seen_ |= field_;
  }
  return fresh || stop("header has the key \"" + name + "\" twice");
}

bool HeaderReader::close() {
  const std::size_t closed = depth_--;
  switch (place_) {
    case Place::kIgnored:
      ignored_keys_.pop_back();
      if (closed == ignored_from_) place_ = Place::kTensor;
      return true;
    case Place::kOffsets:
      if (offsets_ != 2) return stop(here() + ": data offsets are not two");
      [[fallthrough]];
    case Place::kShape:
      place_ = Place::kTensor;
      return true;
    case Place::kTensor:
      return finish_tensor();
    case Place::kMetadata:
      place_ = Place::kTop;
      return true;
    default:
      place_ = Place::kEnd;
      return true;
  }
}

bool HeaderReader::finish_tensor() {
  if (seen_ != (kDtype | kShapeField | kOffsetsField)) {
    return stop(here() + ": dtype, shape or data_offsets is missing");
  }
  header_.entries.push_back(std::move(entry_));
  place_ = Place::kTop;
  return true;
}

void check_cover(SafetensorsHeader& header, std::uint64_t data_bytes, const std::string& where) {
  std::sort(header.entries.begin(), header.entries.end(), [](const auto& a, const auto& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  std::uint64_t covered = 0;
  for (const SafetensorsEntry& entry : header.entries) {
    const std::string offsets = fmt::format("[{}, {}]", entry.begin, entry.end);
    const auto wrong = [&](const char* what, const std::string& expected) {
      fail(ExitCode::kInput, {.what = fmt::format("tensor \"{}\": {}", entry.name, what),
                              .where = where,
                              .expected = expected,
                              .got = "data_offsets " + offsets});
    };
    if (entry.begin != covered || entry.end < entry.begin) {
      wrong(entry.begin < covered ? "data overlaps the tensor before it" : "data leaves a hole",
            fmt::format("it to begin at {}", covered));
    }
    covered = entry.end;
    std::uint64_t bytes = 0;
    if (!tensor_bytes(entry.dtype, entry.shape, bytes)) {
      wrong("shape and dtype give no whole number of bytes below 2^61", "");
    }
    if (entry.end - entry.begin != bytes) {
      wrong("data is not of the size that shape and dtype ask for", fmt::format("{} bytes", bytes));
    }
  }
  if (covered != data_bytes) {
    fail(ExitCode::kInput,
         {.what = covered > data_bytes ? "safetensors file is cut short"
                                       : "safetensors file has bytes after its last tensor",
          .where = where,
          .expected = fmt::format("{} bytes of tensors", covered),
          .got = fmt::format("{}", data_bytes),
          .fix = "copy or download the file again"});
  }
}

}  // namespace

SafetensorsHeader parse_safetensors_header(std::span<const std::byte> file,
                                           const std::string& where) {
  if (file.size() < kLengthBytes) {
    refuse(where, "safetensors file is shorter than its first field",
           fmt::format("{} bytes", file.size()));
  }
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < kLengthBytes; ++i) {
    length |= std::to_integer<std::uint64_t>(file[i]) << (8 * i);
  }
  if (length > kSafetensorsMaxHeader) {
    refuse(where, "safetensors header is larger than 100,000,000 bytes, or this is no such file",
           fmt::format("{} bytes", length));
  }
  if (length > file.size() - kLengthBytes) {
    refuse(where, "safetensors file is cut short within its header",
           fmt::format("{} bytes of {}", file.size() - kLengthBytes, length));
  }
  const std::string_view text(reinterpret_cast<const char*>(file.data()) + kLengthBytes, length);
  if (!text.starts_with('{')) refuse(where, "safetensors header does not begin with {");
  // The JSON parser takes a NUL for the end of the text.
  if (text.find('\0') != std::string_view::npos) refuse(where, "safetensors header holds a NUL");

  SafetensorsHeader header;
  header.data_start = kLengthBytes + length;
  HeaderReader reader(header);
  if (!nlohmann::json::sax_parse(text, &reader)) refuse(where, reader.problem());
  check_cover(header, file.size() - header.data_start, where);
  return header;
}

}  // namespace softcot
