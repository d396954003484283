#include "runtime/json_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "runtime/atomic_file.h"
#include "support/faults.h"
#include "support/fixtures.h"

namespace softcot {
namespace {

using test::error_of;
using ::testing::HasSubstr;

std::string problem(const std::string& text) {
  return error_of([&] { parse_json(text, "f.json"); }).what();
}

TEST(JsonTest, ErrorsHaveLineAndColumn) {
  EXPECT_THAT(problem("{\n  \"a\": 1,\n  \"b\": x\n}"),
              HasSubstr("f.json (got an error at line 3 column 8)"));
  EXPECT_THAT(problem(""), HasSubstr("an error at column 1"));
  EXPECT_THAT(problem("{} x"), HasSubstr("an error at column 4"));
  EXPECT_THAT(problem(std::string("{}\0{", 4)), HasSubstr("a NUL byte at column 3"));
  EXPECT_THAT(problem("1e999"), HasSubstr("out of range"));
  EXPECT_THAT(problem("\"\xff\""), HasSubstr("column 2"));
  EXPECT_THAT(problem("\"\\ud800\""), HasSubstr("column "));
}

TEST(JsonTest, NestingIsBounded) {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_NO_THROW(parse_json(nested(200), ""));
  EXPECT_THAT(problem(nested(201)), HasSubstr("nested too deeply"));
  EXPECT_THAT(problem(std::string(5'000'000, '[')), HasSubstr("nested too deeply"));
  EXPECT_NO_THROW(parse_json("\"" + std::string(500, '[') + "\\\"[\"", ""));
}

TEST(JsonTest, SizeIsBoundedAndByteOrderMarkSkipped) {
  EXPECT_EQ(error_of([] { parse_json("[1,2,3]", "", {.max_bytes = 6}); }).code(), ExitCode::kInput);
  EXPECT_EQ(parse_json("\xef\xbb\xbf{\"a\": 1}", "").at("a"), 1);
}

TEST(JsonTest, FileErrorsCarryTheCodeAskedFor) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "state.json";
  EXPECT_EQ(error_of([&] { read_json_file(path, {.code = ExitCode::kCheckpoint}); }).code(),
            ExitCode::kCheckpoint);
  write_file_atomically(path, "{");
  const Error error = error_of([&] { read_json_file(path, {.code = ExitCode::kCheckpoint}); });
  EXPECT_EQ(error.code(), ExitCode::kCheckpoint);
  EXPECT_THAT(error.what(), HasSubstr("state.json"));
}

TEST(JsonTest, RequireTakesTheRightKindOnly) {
  const nlohmann::json json = parse_json(
      R"({"i": 3, "n": -3, "f": 1.5, "s": "x", "b": true, "l": [1, 2], "m": [1, "x"], "z": null,
          "big": 18446744073709551615})",
      "");
  EXPECT_EQ(require<int>(json, "i", "f"), 3);
  EXPECT_EQ(require<double>(json, "i", "f"), 3.0);
  EXPECT_EQ(require<std::int64_t>(json, "n", "f"), -3);
  EXPECT_EQ(require<std::uint64_t>(json, "big", "f"), 18446744073709551615u);
  EXPECT_EQ(require<std::string>(json, "s", "f"), "x");
  EXPECT_TRUE(require<bool>(json, "b", "f"));
  EXPECT_EQ(require<std::vector<int>>(json, "l", "f"), (std::vector<int>{1, 2}));
  EXPECT_EQ(optional<int>(json, "none", 7, "f"), 7);
  EXPECT_EQ(optional<int>(json, "z", 7, "f"), 7);
  const auto wrong = [&](const std::function<void()>& work) {
    EXPECT_EQ(error_of(work).code(), ExitCode::kInput);
  };
  wrong([&] { require<int>(json, "f", "f"); });
  wrong([&] { require<int>(json, "s", "f"); });
  wrong([&] { require<int>(json, "b", "f"); });
  wrong([&] { require<std::uint32_t>(json, "n", "f"); });
  wrong([&] { require<std::int64_t>(json, "big", "f"); });
  wrong([&] { require<bool>(json, "i", "f"); });
  wrong([&] { require<std::vector<int>>(json, "m", "f"); });
  wrong([&] { require<std::string>(json, "z", "f"); });
  wrong([&] { optional<int>(json, "s", 7, "f"); });
  wrong([&] { require<int>(nlohmann::json::array(), "s", "f"); });
}

TEST(JsonTest, MessagesAreOneClearLine) {
  const nlohmann::json json{{"a", "x"}};
  EXPECT_STREQ(error_of([&] { require<int>(json, "b", "config.json"); }).what(),
               "error[3] key \"b\" is missing: config.json");
  EXPECT_STREQ(error_of([&] { require<int>(json, "a", "config.json", ExitCode::kCache); }).what(),
               "error[4] key \"a\" is of the wrong kind: config.json (expected a whole number, got "
               "the string \"x\")");
}

}  // namespace
}  // namespace softcot
