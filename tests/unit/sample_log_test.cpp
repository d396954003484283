#include "evaluation/sample_log.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <iterator>

#include "runtime/error.h"
#include "runtime/log.h"
#include "support/files.h"
#include "support/fixtures.h"

namespace softcot {
namespace {

using test::slurp;
using test::spill;
using test::TemporaryFolder;
using testing::HasSubstr;

Sample sample(const std::string& id, std::int64_t index = 0) {
  Sample made;
  made.question_id = id;
  made.sample_index = index;
  made.question = "How many?\n\"Two\" <b>or</b> three";
  made.reference = "5";
  made.prompt_hash = "abc";
  made.ids = {1, 2, 3};
  made.text = "The answer is -5. \\boxed{5}";
  made.new_tokens = 3;
  made.finish = "stop";
  made.answer_nll = 12.3456789012345678;
  made.target_tokens = 9;
  extract_answers(made, AnswerType::kNumber);
  return made;
}

ExitCode code_of(const std::function<void()>& action, const std::string& text) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr(text));
    return error.code();
  }
  return ExitCode::kOk;
}

TEST(SampleLog, GivesBackWhatWasWritten) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "softcot.jsonl";
  Sample bare = sample("q2", 7);
  bare.answer_nll.reset();
  bare.text = "no digits";
  extract_answers(bare, AnswerType::kNumber);
  {
    SampleLog log(path, "key");
    EXPECT_EQ(log.size(), 0u);
    log.append(sample("q1"));
    log.append(bare);
    log.flush();
  }
  const std::vector<Sample> read = read_samples(path);
  ASSERT_EQ(read.size(), 2u);
  const Sample first = sample("q1");
  EXPECT_EQ(read[0].question, first.question);
  EXPECT_EQ(read[0].text, first.text);
  EXPECT_EQ(read[0].ids, first.ids);
  EXPECT_EQ(read[0].answer_nll, first.answer_nll);  // Every bit of the double.
  EXPECT_EQ(read[0].target_tokens, 9);
  EXPECT_EQ(read[0].strict.answer, "5");
  EXPECT_TRUE(read[0].strict.correct);
  EXPECT_EQ(read[0].as_reference.answer, "5");
  EXPECT_EQ(read[1].sample_index, 7);
  EXPECT_FALSE(read[1].answer_nll.has_value());
  EXPECT_FALSE(read[1].flexible.answer.has_value());
  EXPECT_FALSE(read[1].flexible.correct);
}

TEST(SampleLog, ResumesWithWhatIsThere) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "s.jsonl";
  { SampleLog(path, "key").append(sample("q1", 3)); }
  SampleLog log(path, "key");
  EXPECT_EQ(log.size(), 1u);
  EXPECT_TRUE(log.contains("q1", 3));
  log.append(sample("q1", 4));
  EXPECT_EQ(code_of([&] { log.append(sample("q1", 3)); }, "twice"), ExitCode::kInternal);
  EXPECT_EQ(read_samples(path).size(), 2u);
}

TEST(SampleLog, RefusesAnotherKey) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "s.jsonl";
  { SampleLog(path, "config 1").append(sample("q1")); }
  EXPECT_EQ(code_of([&] { SampleLog(path, "config 2"); }, "config 1"), ExitCode::kUsage);
  EXPECT_EQ(read_samples(path).size(), 1u);
}

// Killed at any byte of the file: the whole lines stay, the torn one is written anew.
TEST(SampleLog, SurvivesACutAtEveryByte) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "s.jsonl";
  {
    SampleLog log(path, "key");
    for (const char* id : {"a", "b", "c"}) log.append(sample(id));
  }
  const std::string whole = slurp(path);
  set_log_level(LogLevel::kSilent);  // A warning for every one of them is right, and tested below.
  for (std::size_t cut = 0; cut <= whole.size(); ++cut) {
    spill(path, whole.substr(0, cut));
    SampleLog log(path, "key");
    const auto lines = std::count(whole.begin(), whole.begin() + static_cast<long>(cut), '\n');
    EXPECT_EQ(log.size(), static_cast<std::size_t>(std::max(0L, lines - 1))) << cut;
    for (const char* id : {"a", "b", "c"}) {
      if (!log.contains(id, 0)) log.append(sample(id));
    }
    ASSERT_EQ(slurp(path), whole) << cut;
  }
  set_log_level(LogLevel::kInfo);
}

TEST(SampleLog, ABlockOfZerosAtTheEndIsTornToo) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "s.jsonl";
  { SampleLog(path, "key").append(sample("a")); }
  const std::string whole = slurp(path);
  spill(path, whole + std::string(100, '\0') + "\n");
  testing::internal::CaptureStderr();
  EXPECT_EQ(SampleLog(path, "key").size(), 1u);
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              HasSubstr("s.jsonl:3: the last line is torn"));
  EXPECT_EQ(slurp(path), whole);
}

TEST(SampleLog, DamageInTheMiddleIsNamedNotHealed) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "s.jsonl";
  {
    SampleLog log(path, "key");
    log.append(sample("a"));
    log.append(sample("b"));
  }
  std::string bytes = slurp(path);
  bytes[bytes.find('\n') + 1] = '#';
  spill(path, bytes);
  EXPECT_EQ(code_of([&] { SampleLog(path, "key"); }, "s.jsonl:2"), ExitCode::kInput);
  EXPECT_EQ(slurp(path), bytes);
  EXPECT_EQ(code_of([&] { read_samples(folder.path() / "none.jsonl"); }, "none.jsonl"),
            ExitCode::kInput);
}

TEST(SampleLog, BytesThatAreNoUtf8DoNotBreakTheFile) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "s.jsonl";
  Sample broken = sample("a");
  broken.text = "half a character \xE2\x82";
  { SampleLog(path, "key").append(broken); }
  EXPECT_EQ(read_samples(path)[0].text, "half a character \uFFFD");
}

// In a child process whose files may not grow beyond a limit: what a full disk looks like.
TEST(SampleLog, AFullDiskLeavesWholeLines) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "s.jsonl";
  const pid_t child = fork();
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{2000, 2000};
    setrlimit(RLIMIT_FSIZE, &limit);
    int code = 0;
    try {
      SampleLog log(path, "key");
      for (int i = 0; i < 100; ++i) log.append(sample("q" + std::to_string(i)));
    } catch (const Error& error) {
      code = static_cast<int>(error.code());
    }
    _exit(code);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), static_cast<int>(ExitCode::kResources));
  const std::string bytes = slurp(path);
  ASSERT_FALSE(bytes.empty());
  EXPECT_EQ(bytes.back(), '\n');
  const std::size_t kept = read_samples(path).size();
  EXPECT_GE(kept, 1u);
  EXPECT_LT(kept, 100u);
  EXPECT_EQ(SampleLog(path, "key").size(), kept);
}

}  // namespace
}  // namespace softcot
