#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory_resource>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "data/answer_extraction.h"
#include "data/record.h"

namespace softcot {

/// What one extractor read in a sample, and whether it is the reference answer.
struct ExtractedAnswer {
  std::optional<std::string> answer;
  bool correct = false;

  bool operator==(const ExtractedAnswer&) const = default;
};

/// One generated continuation of one question.
struct Sample {
  std::string question_id;
  std::int64_t sample_index = 0;  ///< 0 … K-1 among the samples of its question.
  std::string question;           ///< As asked, so that a report needs no data set.
  std::string reference;          ///< The data set's answer.
  std::string prompt_hash;        ///< Of the whole rendered prompt.
  std::vector<std::int64_t> ids;  ///< Generated ids, the stop token included.
  std::string text;               ///< What they decode to; bytes that are not UTF-8 become U+FFFD.
  ExtractedAnswer strict;
  ExtractedAnswer flexible;
  ExtractedAnswer as_reference;
  std::int64_t new_tokens = 0;
  std::string finish;  ///< "stop" or "length" (cut off at the limit).
  /// Of the reference rationale and answer after this prompt [nats], and over how many tokens; both
  /// or neither. Taken from a question's sample 0.
  std::optional<double> answer_nll;
  std::int64_t target_tokens = 0;

  const ExtractedAnswer& read_by(Extractor extractor) const;
  bool operator==(const Sample&) const = default;
};

/// Fills the three extracted answers from `text` and `reference`.
void extract_answers(Sample& sample, AnswerType type);

/// (question id, sample index).
using SampleKey = std::pair<std::string, std::int64_t>;

/// The samples of one method as JSON lines, one object each after a header line; docs/statistics.md
/// has the fields. Local, one writer for a file at a time.
class SampleLog {
 public:
  /// Opens or begins the file; its folder must be there. `key` stands for everything that the
  /// samples depend on (configuration, prompts, models, extractor): a file begun under another key
  /// throws kUsage. A torn last line, left by a killed run, is cut off with a warning. Throws
  /// kInput for a damaged line anywhere else, kResources or kUsage where nothing can be written.
  SampleLog(std::filesystem::path path, std::string key);
  ~SampleLog();
  SampleLog(const SampleLog&) = delete;
  SampleLog& operator=(const SampleLog&) = delete;

  /// Whether the file had it already, or it was appended since.
  bool contains(const std::string& question_id, std::int64_t sample_index) const;
  /// How many it contains.
  std::size_t size() const { return completed_.size(); }

  /// Appends one line with one write. If the disk is full nothing of it stays, and kResources is
  /// thrown. A sample that is completed already throws kInternal.
  void append(const Sample& sample);

  /// Makes what was appended durable.
  void flush();

 private:
  void write_line(const std::string& line);

  std::filesystem::path path_;
  int descriptor_ = -1;
  std::uint64_t bytes_ = 0;
  // Many small pieces that stay, one after each answer: on the heap they would part what answers
  // leave free, which then grows by some KB each.
  std::pmr::monotonic_buffer_resource memory_;
  std::pmr::set<std::pair<std::pmr::string, std::int64_t>> completed_{&memory_};
};

/// The key that a sample file was begun under; empty where its first line is missing or torn.
std::string read_sample_key(const std::filesystem::path& path);

/// All samples of a file, in its order; a torn last line is left out with a warning. Throws kInput
/// for a file that is missing, has another schema, or has a damaged line (its number is named).
std::vector<Sample> read_samples(const std::filesystem::path& path);

}  // namespace softcot
