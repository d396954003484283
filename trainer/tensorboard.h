#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>

namespace softcot {

/// CRC-32C (Castagnoli), as iSCSI has it (RFC 3720).
std::uint32_t crc32c(std::string_view bytes);

/// One record of a TFRecord file: length [8], masked CRC of that [4], bytes, masked CRC of them
/// [4], little-endian.
std::string tfrecord(std::string_view bytes);

/// Scalars for TensorBoard: one file events.out.tfevents.… a writer, each with the events of
/// `metrics.jsonl` that it saw. Local; one rank writes. What cannot be written is warned about once
/// and does not stop the training.
class TensorboardLog {
 public:
  /// Nothing is touched before the first event. An empty folder writes nothing.
  explicit TensorboardLog(std::filesystem::path folder);

  /// Forgets the events after `step` in the files that are there, all of them at step 0: they
  /// belong to updates that a resume makes again. Throws kResources where that cannot be written.
  void drop_from_step(std::int64_t step);
  /// One event of all values of a step, by tag ("train/loss"), at `wall_time` [s since 1970].
  void write(std::int64_t step, const std::map<std::string, double>& values, double wall_time);

 private:
  std::filesystem::path folder_;
  std::filesystem::path file_;  // Empty until it has its first record.
  bool warned_ = false;
};

}  // namespace softcot
