#include "evaluation/sample_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <nlohmann/json.hpp>

#include "runtime/append_file.h"
#include "runtime/atomic_file.h"
#include "runtime/error.h"
#include "runtime/json_file.h"
#include "runtime/log.h"
#include "runtime/sealed_json.h"

namespace softcot {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kSchema = "softcot-samples/1";

Json to_json(const ExtractedAnswer& extracted) {
  return {{"answer", extracted.answer ? Json(*extracted.answer) : Json(nullptr)},
          {"correct", extracted.correct}};
}

std::string to_line(const Json& json) { return seal_json(json_text(json)) + "\n"; }

std::string to_line(const Sample& sample) {
  return to_line(Json{{"question_id", sample.question_id},
                      {"sample_index", sample.sample_index},
                      {"question", sample.question},
                      {"reference", sample.reference},
                      {"prompt_hash", sample.prompt_hash},
                      {"answers",
                       {{"strict", to_json(sample.strict)},
                        {"flexible", to_json(sample.flexible)},
                        {"reference", to_json(sample.as_reference)}}},
                      {"new_tokens", sample.new_tokens},
                      {"finish", sample.finish},
                      {"answer_nll", sample.answer_nll ? Json(*sample.answer_nll) : Json(nullptr)},
                      {"target_tokens", sample.target_tokens},
                      {"text", sample.text},
                      {"ids", sample.ids}});
}

ExtractedAnswer to_extracted(const nlohmann::json& json, const std::string& where) {
  ExtractedAnswer extracted;
  if (!require<nlohmann::json>(json, "answer", where).is_null()) {
    extracted.answer = require<std::string>(json, "answer", where);
  }
  extracted.correct = require<bool>(json, "correct", where);
  return extracted;
}

Sample to_sample(const nlohmann::json& json, const std::string& where) {
  Sample sample;
  sample.question_id = require<std::string>(json, "question_id", where);
  sample.sample_index = require<std::int64_t>(json, "sample_index", where);
  sample.question = require<std::string>(json, "question", where);
  sample.reference = require<std::string>(json, "reference", where);
  sample.prompt_hash = require<std::string>(json, "prompt_hash", where);
  sample.ids = require<std::vector<std::int64_t>>(json, "ids", where);
  sample.text = require<std::string>(json, "text", where);
  const auto answers = require<nlohmann::json>(json, "answers", where);
  sample.strict = to_extracted(require<nlohmann::json>(answers, "strict", where), where);
  sample.flexible = to_extracted(require<nlohmann::json>(answers, "flexible", where), where);
  sample.as_reference = to_extracted(require<nlohmann::json>(answers, "reference", where), where);
  sample.new_tokens = require<std::int64_t>(json, "new_tokens", where);
  sample.finish = require<std::string>(json, "finish", where);
  if (!require<nlohmann::json>(json, "answer_nll", where).is_null()) {
    sample.answer_nll = require<double>(json, "answer_nll", where);
  }
  sample.target_tokens = require<std::int64_t>(json, "target_tokens", where);
  return sample;
}

struct Contents {
  std::string key;
  std::vector<Sample> samples;
  std::uint64_t whole_bytes = 0;  // Up to the end of the last whole line.
};

// A last line without its end, or that is no JSON, was torn by a kill or a power cut: it is
// dropped.
Contents read_contents(const std::filesystem::path& path) {
  std::ifstream file = open_regular(path);
  if (!file.is_open()) {
    fail(ExitCode::kInput, {.what = "cannot read samples", .where = path.string(), .fix = {}});
  }
  Contents contents;
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    const std::string where = fmt::format("{}:{}", path.string(), number);
    const bool endless = file.eof();
    const bool last = endless || file.peek() == std::ifstream::traits_type::eof();
    try {
      if (endless) fail(ExitCode::kInput, {.what = "line has no end", .where = where});
      const nlohmann::json json = parse_json(line, where);
      if (number == 1) {
        const auto schema = require<std::string>(json, "schema", where);
        if (schema != kSchema) {
          fail(ExitCode::kUsage, {.what = "samples of another version",
                                  .where = where,
                                  .expected = kSchema,
                                  .got = schema});
        }
        contents.key = require<std::string>(json, "key", where);
      } else {
        contents.samples.push_back(to_sample(json, where));
      }
    } catch (const Error& error) {
      if (!last || error.code() != ExitCode::kInput) throw;
      log_warning("{}: the last line is torn and is left out ({} bytes)", where, line.size());
      return contents;
    }
    contents.whole_bytes += line.size() + 1;
  }
  return contents;
}

}  // namespace

const ExtractedAnswer& Sample::read_by(Extractor extractor) const {
  if (extractor == Extractor::kStrict) return strict;
  return extractor == Extractor::kFlexible ? flexible : as_reference;
}

void extract_answers(Sample& sample, AnswerType type) {
  const auto read = [&](Extractor extractor) {
    ExtractedAnswer extracted{.answer = extract_answer(extractor, type, sample.text)};
    extracted.correct =
        extracted.answer && answers_equal(type, *extracted.answer, sample.reference);
    return extracted;
  };
  sample.strict = read(Extractor::kStrict);
  sample.flexible = read(Extractor::kFlexible);
  sample.as_reference = read(Extractor::kReference);
}

SampleLog::SampleLog(std::filesystem::path path, std::string key) : path_(std::move(path)) {
  Contents contents;
  if (std::filesystem::exists(path_)) contents = read_contents(path_);
  if (contents.whole_bytes > 0 && contents.key != key) {
    fail(ExitCode::kUsage,
         {.what = "these samples were made under other settings, or from another checkpoint",
          .where = path_.string(),
          .expected = key,
          .got = contents.key,
          .fix = "give --run.folder NEW, and --evaluate.trained with the run that was trained"});
  }
  descriptor_ = open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (descriptor_ < 0) fail_write(errno, path_);
  bytes_ = contents.whole_bytes;
  try {
    if (ftruncate(descriptor_, static_cast<off_t>(bytes_)) != 0) fail_write(errno, path_);
    if (bytes_ == 0) write_line(to_line(Json{{"schema", kSchema}, {"key", key}}));
  } catch (...) {
    close(descriptor_);
    throw;
  }
  for (const Sample& sample : contents.samples) {
    completed_.emplace(sample.question_id, sample.sample_index);
  }
}

SampleLog::~SampleLog() { close(descriptor_); }

bool SampleLog::contains(const std::string& question_id, std::int64_t sample_index) const {
  return completed_.contains({std::pmr::string(question_id), sample_index});
}

void SampleLog::append(const Sample& sample) {
  if (contains(sample.question_id, sample.sample_index)) {
    fail(ExitCode::kInternal, {.what = "sample written twice",
                               .where = fmt::format("{}, question {}, sample {}", path_.string(),
                                                    sample.question_id, sample.sample_index)});
  }
  write_line(to_line(sample));
  completed_.emplace(sample.question_id, sample.sample_index);
}

void SampleLog::write_line(const std::string& line) {
  const int error = append_or_undo(descriptor_, bytes_, line, path_);
  if (error != 0) fail_write(error, path_);
  bytes_ += line.size();
}

void SampleLog::flush() {
  if (fsync(descriptor_) != 0 && errno != EINVAL) fail_write(errno, path_);
}

std::string read_sample_key(const std::filesystem::path& path) {
  std::ifstream file = open_regular(path);
  std::string line;
  if (!std::getline(file, line) || file.eof()) return "";
  const auto json = parse_json_or_null(line);
  return json.is_object() && json.contains("key") && json["key"].is_string()
             ? json["key"].get<std::string>()
             : "";
}

std::vector<Sample> read_samples(const std::filesystem::path& path) {
  return read_contents(path).samples;
}

}  // namespace softcot
