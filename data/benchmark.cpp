#include "data/benchmark.h"

#include <fmt/format.h>

#include "data/answer_extraction.h"
#include "data/benchmark_readers.h"
#include "runtime/error.h"

namespace softcot {

const std::vector<Benchmark>& benchmarks() {
  static const std::vector<Benchmark> all = {
      {"gsm8k", "GSM8K: JSON lines with question and answer", "math.txt", &read_gsm8k},
      {"asdiv", "ASDiv 1.0: XML", "math.txt", &read_asdiv},
      {"asdiv_aug", "what softcot augment makes of ASDiv", "math.txt", &read_own_jsonl},
      {"aqua", "AQuA: JSON lines with options and correct", "choice.txt", &read_aqua},
      {"strategyqa", "StrategyQA: a JSON list with facts", "yes_no.txt", &read_strategyqa},
      {"date_understanding", "Date Understanding of BIG-Bench Hard or BIG-bench", "date.txt",
       &read_date_understanding},
      {"svamp", "SVAMP: a JSON list with Body, Question, Answer", "math.txt", &read_svamp},
      {"multiarith", "MultiArith: a JSON list with sQuestion, lSolutions", "math.txt",
       &read_multiarith},
      {"jsonl", "your own: JSON lines with question, rationale, answer and type", "general.txt",
       &read_own_jsonl},
  };
  return all;
}

const Benchmark& benchmark_of(const std::string& task) {
  std::string known;
  for (const Benchmark& benchmark : benchmarks()) {
    if (task == benchmark.name) return benchmark;
    known += known.empty() ? benchmark.name : fmt::format(", {}", benchmark.name);
  }
  fail(ExitCode::kUsage,
       {.what = "unknown benchmark", .where = "data.task", .expected = known, .got = task});
}

std::vector<Record> read_benchmark(const std::string& task, const std::filesystem::path& file,
                                   RecordRange range, TrainingQuirks quirks) {
  RecordCollector collector(file.string(), range, quirks);
  benchmark_of(task).read(file, collector);
  return collector.take();
}

namespace {

const char* matchable_answer(AnswerType type) {
  switch (type) {
    case AnswerType::kNumber:
      return "a number, with or without its unit: 1234, 1,234, -0.5, 3/4, $18, 50%, 3 km";
    case AnswerType::kChoice:
      return "the letter of a choice";
    case AnswerType::kYesNo:
      return "yes or no";
    case AnswerType::kText:
      return "a text that is found again where \\boxed{…} states it";
  }
  return "";
}

// A reference answer that no text can be read as would count every answer as wrong.
void require_matchable(const Record& record, const std::string& where) {
  if (can_be_matched(record.type, record.answer)) return;
  const bool number = record.type == AnswerType::kNumber;
  fail(
      ExitCode::kInput,
      {.what = "reference answer that no answer can match",
       .where = where,
       .expected = matchable_answer(record.type),
       .got = fmt::format("\"{}\"", record.answer),
       .fix = number
                  ? "write the value alone in digits (\"1000\" for \"10^3\" or \"1 000\"); ranges, "
                    "times and words are for \"type\": \"text\" of the task jsonl"
                  : "write the answer without markup"});
}

}  // namespace

RecordCollector::RecordCollector(std::string file, RecordRange range, TrainingQuirks quirks)
    : file_(std::move(file)), range_(range), quirks_(quirks) {}

bool RecordCollector::add(Record record, const std::string& where) {
  const auto refuse = [&](std::string what, std::string got) {
    fail(ExitCode::kInput, {.what = std::move(what), .where = where, .got = std::move(got)});
  };
  if (record.question.empty()) refuse("record without a question", "an empty text");
  if (record.answer.empty()) refuse("record without an answer", "an empty text");
  require_matchable(record, where);
  const auto [place, is_new] = places_.emplace(record.id, where);
  if (!is_new) {
    refuse("two records with one id", fmt::format("\"{}\", also at {}", record.id, place->second));
  }
  // GSM8K's reader keeps the line as its file has it.
  std::vector<std::string>& steps = record.rationale_steps;
  if (quirks_.answer_line_is_step && (steps.empty() || !steps.back().starts_with("####"))) {
    steps.push_back("#### " + record.answer);
  }
  if (seen_++ >= range_.offset && records_.size() < range_.limit) {
    records_.push_back(std::move(record));
  }
  return records_.size() < range_.limit;
}

std::vector<Record> RecordCollector::take() {
  if (records_.empty()) {
    fail(ExitCode::kInput,
         {.what = seen_ == 0 ? "dataset file without a record" : "no record in the wanted range",
          .where = file_,
          .expected = seen_ == 0 ? "at least one" : fmt::format("an offset below {}", seen_),
          .got = seen_ == 0 ? "" : fmt::format("offset {}", range_.offset)});
  }
  return std::move(records_);
}

}  // namespace softcot
