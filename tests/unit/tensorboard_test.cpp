#include "trainer/tensorboard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "support/child_process.h"
#include "support/event_files.h"
#include "support/fixtures.h"

namespace softcot {
namespace {

using test::EventScalar;
using testing::SizeIs;

std::string bytes_of(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

std::vector<std::filesystem::path> files_in(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

// The examples of RFC 3720, appendix B.4, and the usual check value.
TEST(Crc32c, KnownValues) {
  std::string rising;
  for (int i = 0; i < 32; ++i) rising += static_cast<char>(i);
  const std::string falling(rising.rbegin(), rising.rend());
  EXPECT_EQ(crc32c(""), 0u);
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43u);
  EXPECT_EQ(crc32c(rising), 0x46dd794eu);
  EXPECT_EQ(crc32c(falling), 0x113fdb5cu);
}

TEST(Tensorboard, BytesOfAFile) {
  const test::TemporaryFolder folder;
  TensorboardLog log(folder.path());
  log.write(300, {{"a/b", 0.5}}, 1.5);
  const auto files = files_in(folder.path());
  ASSERT_THAT(files, SizeIs(1));
  EXPECT_EQ(files[0].filename(), "events.out.tfevents.0000000001.softcot");
  // Event {wall_time: 1.5, file_version: "brain.Event:2"}, then
  // Event {wall_time: 1.5, step: 300, summary {value {tag: "a/b", simple_value: 0.5}}}.
  const std::string time("\x09\0\0\0\0\0\0\xf8\x3f", 9);
  const std::string version = time + "\x1a\x0d" + "brain.Event:2";
  const std::string scalar = time + "\x10\xac\x02" + "\x2a\x0c" + "\x0a\x0a" + "\x0a\x03" + "a/b" +
                             std::string("\x15\0\0\0\x3f", 5);
  EXPECT_EQ(bytes_of(files[0]), tfrecord(version) + tfrecord(scalar));
  const std::string record = tfrecord("abc");
  ASSERT_EQ(record.size(), 19u);
  EXPECT_EQ(record.substr(0, 8), std::string("\x03\0\0\0\0\0\0\0", 8));
  EXPECT_EQ(record.substr(12, 3), "abc");
  const std::uint32_t crc = 0x364b3fb7;
  EXPECT_EQ(crc32c("abc"), crc);
  const std::uint32_t masked = ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(static_cast<unsigned char>(record[15 + i]), (masked >> (8 * i)) & 0xff);
  }
}

TEST(Tensorboard, AResumeShowsEachStepOnce) {
  const test::TemporaryFolder folder;
  {
    TensorboardLog log(folder.path());
    for (int step = 0; step <= 130; ++step) log.write(step, {{"loss", step}}, 100);
  }
  const auto first = files_in(folder.path()).at(0);
  std::ofstream(first, std::ios::app | std::ios::binary) << std::string("\x30\0\0\0torn", 8);
  TensorboardLog resumed(folder.path());
  resumed.drop_from_step(127);
  for (int step = 128; step <= 200; ++step) resumed.write(step, {{"loss", -step}}, 50);
  EXPECT_THAT(files_in(folder.path()),
              SizeIs(2));  // The later one last, though the clock went back.
  const auto scalars = test::event_scalars(folder.path());
  ASSERT_THAT(scalars, SizeIs(201));
  for (int step = 0; step <= 200; ++step) {
    const float value = static_cast<float>(step <= 127 ? step : -step);
    EXPECT_EQ(scalars[static_cast<std::size_t>(step)], (EventScalar{step, "loss", value}));
  }
  TensorboardLog again(folder.path());
  again.drop_from_step(0);
  EXPECT_THAT(files_in(folder.path()), SizeIs(0));
}

TEST(Tensorboard, WhatCannotBeWrittenIsNoReasonToStop) {
  const test::TemporaryFolder folder;
  std::ofstream(folder.path() / "file") << "in the way";
  TensorboardLog log(folder.path() / "file");
  log.write(1, {{"loss", 1}}, 1);
  TensorboardLog off("");
  off.drop_from_step(0);
  off.write(1, {{"loss", 1}}, 1);
  EXPECT_THAT(files_in(folder.path()), SizeIs(1));
}

// TensorBoard's own reader: SOFTCOT_TENSORBOARD_PYTHON names a Python that has it.
TEST(Tensorboard, ItsOwnReaderReadsWhatWeWrote) {
  const char* python = std::getenv("SOFTCOT_TENSORBOARD_PYTHON");
  if (python == nullptr)
    GTEST_SKIP() << "SOFTCOT_TENSORBOARD_PYTHON names no Python with tensorboard";
  const test::TemporaryFolder folder;
  {
    TensorboardLog log(folder.path());
    for (int step = 0; step < 4; ++step) {
      log.write(step, {{"train/loss", 2.5 - step}, {"heldout/loss", 1e-3 * step}}, 1000 + step);
    }
  }
  TensorboardLog resumed(folder.path());
  resumed.drop_from_step(2);
  resumed.write(3, {{"train/loss", -0.25}}, 2000.5);
  const char* script = R"(
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
events = EventAccumulator(sys.argv[1])
events.Reload()
print(json.dumps({tag: [[e.step, e.wall_time, e.value] for e in events.Scalars(tag)]
                  for tag in events.Tags()["scalars"]}))
)";
  const auto read = test::run_child({python, "-c", script, folder.path().string()});
  ASSERT_EQ(read.status, 0) << read.err;
  const auto seen =
      nlohmann::json::parse(read.out.substr(read.out.rfind('\n', read.out.size() - 2) + 1));
  EXPECT_EQ(
      seen.at("train/loss"),
      nlohmann::json::parse("[[0,1000.0,2.5],[1,1001.0,1.5],[2,1002.0,0.5],[3,2000.5,-0.25]]"));
  ASSERT_EQ(seen.at("heldout/loss").size(), 3u);
  EXPECT_FLOAT_EQ(seen.at("heldout/loss")[2][2].get<float>(), 2e-3f);
}

}  // namespace
}  // namespace softcot
