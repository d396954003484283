#pragma once

#include <cstddef>
#include <filesystem>
#include <limits>
#include <string>
#include <unordered_map>
#include <vector>

#include "data/compat.h"
#include "data/record.h"

namespace softcot {

/// Which records of a file are wanted.
struct RecordRange {
  std::size_t offset = 0;                                       ///< Records left out at the start.
  std::size_t limit = std::numeric_limits<std::size_t>::max();  ///< At most so many; at least 1.
};

/// Takes the records of one file as its reader finds them: leaves out those outside the range and
/// refuses what no record may be.
class RecordCollector {
 public:
  RecordCollector(std::string file, RecordRange range, TrainingQuirks quirks = {});

  /// What readers keep in the rationale that they leave out otherwise.
  const TrainingQuirks& quirks() const { return quirks_; }

  /// `where` is "file:line". Returns whether more records are wanted. Adds the step of
  /// answer_line_is_step.
  /// @throws Error kInput: an empty question or answer, an id twice, an answer that no text can be
  /// read as (can_be_matched).
  bool add(Record record, const std::string& where);

  /// @throws Error kInput if the range holds no record.
  std::vector<Record> take();

 private:
  std::string file_;
  RecordRange range_;
  TrainingQuirks quirks_;
  std::size_t seen_ = 0;
  std::vector<Record> records_;
  std::unordered_map<std::string, std::string> places_;  // by id, where it was seen
};

/// A benchmark's file format.
struct Benchmark {
  const char* name;         ///< The value of `data.task`.
  const char* description;  ///< One line for the help.
  const char* prompts;      ///< Its prompt file in configs/prompts, used where none is named.
  void (*read)(const std::filesystem::path& file, RecordCollector& collector);
};

/// All formats there are; docs/adding-a-benchmark.md says how to add one.
const std::vector<Benchmark>& benchmarks();

/// @throws Error kUsage: no such task (the known ones are listed).
const Benchmark& benchmark_of(const std::string& task);

/// Reads `file` as the benchmark `task`. The same file gives the same records with the same ids.
/// @throws Error kUsage: no such task (the known ones are listed); kInput: the file is missing,
/// empty, malformed (file:line is named), or has no record in the range.
std::vector<Record> read_benchmark(const std::string& task, const std::filesystem::path& file,
                                   RecordRange range = {}, TrainingQuirks quirks = {});

}  // namespace softcot
