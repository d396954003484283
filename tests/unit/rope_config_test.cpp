// The RoPE settings of a config.json: what they state counts, not the key that they are under. The
// values are those of Transformers 5.24 for the same config.
#include "model/rope_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "runtime/error.h"
#include "support/faults.h"
#include "support/files.h"
#include "support/fixtures.h"

namespace softcot {
namespace {

using Json = nlohmann::json;
using test::error_of;
using ::testing::AllOf;
using ::testing::HasSubstr;

const RopeConfig kLlama3 = {RopeConfig::Kind::kLlama3, 500000, 8, 1, 4, 32};

/// A config.json with the keys of `text`, which have ' for ".
Json config(std::string text) {
  std::ranges::replace(text, '\'', '"');
  Json json = Json::parse("{" + text + "}");
  json["max_position_embeddings"] = 2048;
  return json;
}
RopeConfig read(const std::string& text) { return read_rope_config(config(text), "config.json"); }

/// With the scaling of kLlama3, under `kind` and before whatever `more` adds.
std::string scaling(const std::string& more = "", const std::string& kind = "rope_type") {
  return "{'" + kind + "': 'llama3', 'factor': 8.0, 'low_freq_factor': 1.0, " +
         "'high_freq_factor': 4.0" + more + "}";
}
const std::string kOriginal = ", 'original_max_position_embeddings': 32";
const std::string kTheta = ", 'rope_theta': 500000.0";

TEST(RopeConfig, EachSpellingOfLlama3IsTheSame) {
  const std::string whole = scaling(kOriginal + kTheta);
  const std::string older = "'rope_theta': 500000.0, 'rope_scaling': " + scaling(kOriginal);
  for (const std::string& text : {
           "'rope_parameters': " + whole,
           "'rope_scaling': " + whole,
           "'rope_parameters': " + whole + ", 'rope_theta': 10000.0",
           "'rope_parameters': " + whole + ", 'rope_scaling': null",
           "'rope_parameters': " + whole + ", 'rope_scaling': {}",
           "'rope_parameters': " + whole + ", 'rope_scaling': " + whole,
           "'rope_theta': 500000.0, 'rope_parameters': " + scaling(kOriginal),
           "'rope_theta': 500000.0, 'rope_scaling': " + scaling(kOriginal, "type"),
           "'rope_scaling': " + scaling(kOriginal + kTheta + ", 'type': 'llama3'"),
           "'rope_scaling': " + scaling(kOriginal + kTheta + ", 'type': null"),
           "'rope_scaling': " + scaling(kOriginal + kTheta + ", 'partial_rotary_factor': 1.0"),
           "'original_max_position_embeddings': 32, 'rope_scaling': " + scaling(kTheta),
           "'original_max_position_embeddings': 32, 'rope_parameters': " +
               scaling(kTheta + ", 'original_max_position_embeddings': 64"),
           older,
           older + ", 'rope_parameters': null",
           older + ", 'rope_parameters': {}",
           older + ", 'rope_parameters': {'rope_type': 'default'}",
           older + ", 'rope_parameters': {'type': 'default', 'rope_theta': 10000.0}",
           older + ", 'rope_parameters': {'rope_theta': 500000.0}",
           older + ", 'rope_parameters': " + whole,
       }) {
    SCOPED_TRACE(text);
    EXPECT_EQ(read(text), kLlama3);
  }
}

TEST(RopeConfig, Llama3WithoutAnOriginalLengthHasThatOfTheModel) {
  RopeConfig expected = kLlama3;
  expected.original_positions = 2048;
  EXPECT_EQ(read("'rope_parameters': " + scaling(kTheta)), expected);
}

TEST(RopeConfig, EachSpellingOfPlainRopeIsTheSame) {
  const RopeConfig expected = {.theta = 1e6};
  for (const std::string text : {
           "'rope_theta': 1e6",
           "'rope_theta': 1000000, 'rope_scaling': null",
           "'rope_theta': 1e6, 'rope_scaling': {}, 'rope_parameters': {}",
           "'rope_theta': 1e6, 'rope_scaling': {'type': 'default'}",
           "'rope_theta': 1e6, 'rope_scaling': {'rope_type': 'default', 'factor': 8.0}",
           "'rope_parameters': {'rope_theta': 1e6}",
           "'rope_parameters': {'rope_theta': 1e6, 'rope_type': 'default'}, 'rope_theta': 5.0",
           "'rope_parameters': {'rope_theta': 1e6}, 'rope_scaling': {'rope_theta': 1e6}",
           "'rope_scaling': {'rope_theta': 1e6}",
           "'rope_theta': 1e6, 'partial_rotary_factor': 1.0",
       }) {
    SCOPED_TRACE(text);
    EXPECT_EQ(read(text), expected);
  }
  EXPECT_EQ(read(""), RopeConfig());
  EXPECT_EQ(read("'rope_scaling': null, 'rope_parameters': null"), RopeConfig());
}

TEST(RopeConfig, AKindThatIsNotBuiltIsRefusedUnderEveryKey) {
  for (const std::string kind :
       {"yarn", "linear", "dynamic", "longrope", "su", "mrope", "proportional"}) {
    const std::string theta = "'rope_theta': 500000.0, ";
    for (const std::string name : {"rope_type", "type"}) {
      const std::string bad = "{'" + name + "': '" + kind + "', 'factor': 4.0}";
      for (const std::string& text : {
               "'rope_scaling': " + bad,
               "'rope_parameters': " + bad,
               "'rope_scaling': " + bad + ", 'rope_parameters': null",
               "'rope_scaling': " + bad + ", 'rope_parameters': {}",
               "'rope_scaling': " + bad + ", 'rope_parameters': {'rope_type': 'default'}",
               "'rope_scaling': " + bad + ", 'rope_parameters': " + scaling(kOriginal),
               "'rope_scaling': null, 'rope_parameters': " + bad,
               "'rope_scaling': {}, 'rope_parameters': " + bad,
               "'rope_scaling': {'rope_type': 'default'}, 'rope_parameters': " + bad,
               "'rope_scaling': " + scaling(kOriginal) + ", 'rope_parameters': " + bad,
           }) {
        SCOPED_TRACE(text);
        const Error error = error_of([&] { read(theta + text); });
        EXPECT_EQ(error.code(), ExitCode::kInput);
        EXPECT_THAT(error.what(), AllOf(HasSubstr("a RoPE kind"), HasSubstr(kind)));
      }
    }
  }
}

TEST(RopeConfig, WhatIsNotComputedIsRefused) {
  const std::string nested = "{'full_attention': {'rope_type': 'yarn', 'factor': 4.0}}";
  for (const auto& [text, message] : std::vector<std::pair<std::string, std::string>>{
           {"'rope_parameters': " + nested, "per layer type"},
           {"'rope_scaling': " + nested, "per layer type"},
           {"'rope_theta': 1e4, 'rope_scaling': " + scaling(kOriginal) +
                ", 'rope_parameters': {'sliding_attention': {'rope_type': 'default'}}",
            "per layer type"},
           {"'partial_rotary_factor': 0.5", "partial_rotary_factor 0.5"},
           {"'rope_parameters': {'partial_rotary_factor': 0.25, 'rope_type': 'default'}",
            "partial_rotary_factor 0.25"},
           {"'rope_scaling': {'factor': 8.0}", "without a kind"},
           {"'rope_parameters': {'rope_theta': 1e4, 'mrope_section': [1, 2]}", "without a kind"},
           {"'rope_scaling': {'rope_type': 'default', 'type': 'linear', 'factor': 2.0}",
            "two RoPE kinds"},
           {"'rope_scaling': 'yarn'", "holds no RoPE settings"},
           {"'rope_parameters': [8.0]", "holds no RoPE settings"},
           {"'rope_theta': 0", "out of range"},
           {"'rope_scaling': " + scaling(", 'original_max_position_embeddings': 0"),
            "out of range"},
           {"'rope_scaling': {'rope_type': 'llama3', 'factor': 8.0}", "low_freq_factor"},
       }) {
    SCOPED_TRACE(text);
    const Error error = error_of([&] { read(text); });
    EXPECT_EQ(error.code(), ExitCode::kInput);
    EXPECT_THAT(error.what(), HasSubstr(message));
  }
}

TEST(RopeConfig, KeysThatContradictEachOtherAreBothShown) {
  for (const std::string& text : std::vector<std::string>{
           "'rope_scaling': {'rope_type': 'default'}, 'rope_parameters': " + scaling(kOriginal),
           "'rope_scaling': " + scaling(kOriginal) +
               ", 'rope_parameters': " + scaling(", 'original_max_position_embeddings': 64"),
           "'rope_scaling': {'rope_theta': 1e4}, 'rope_parameters': {'rope_theta': 5e5}",
           "'rope_scaling': " + scaling(kOriginal) + ", 'rope_parameters': {'rope_theta': 5e5}",
       }) {
    SCOPED_TRACE(text);
    const Error error = error_of([&] { read(text); });
    EXPECT_EQ(error.code(), ExitCode::kInput);
    EXPECT_THAT(error.what(), AllOf(HasSubstr("contradict"), HasSubstr("rope_scaling {"),
                                    HasSubstr("rope_parameters {")));
  }
}

TEST(RopeConfig, FoldersThatWereReadByTheirKeysAreKnown) {
  const test::TemporaryFolder folder;
  const auto by_content = [&](const std::string& text) {
    test::spill(folder.path() / "config.json", config(text).dump());
    return is_read_by_content(folder.path());
  };
  const std::string scaled = "'rope_scaling': " + scaling(kOriginal + kTheta);
  EXPECT_FALSE(by_content("'rope_theta': 500000.0"));
  EXPECT_FALSE(by_content(scaled));
  EXPECT_FALSE(by_content("'rope_scaling': null, 'rope_parameters': {'rope_theta': 500000.0}"));
  EXPECT_TRUE(by_content(scaled + ", 'rope_parameters': null"));
  EXPECT_TRUE(by_content(scaled + ", 'rope_parameters': {}"));
}

}  // namespace
}  // namespace softcot
