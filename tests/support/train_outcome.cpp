#include "support/train_outcome.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "support/files.h"

namespace softcot::test {

std::filesystem::path checkpoint_folder(const std::filesystem::path& run, int step) {
  return run / "checkpoints" / fmt::format("step-{:08}", step);
}

std::vector<std::string> timeless_metrics(const std::filesystem::path& run) {
  std::vector<std::string> lines;
  std::ifstream file(run / "metrics.jsonl");
  for (std::string text; std::getline(file, text);) {
    nlohmann::json line = nlohmann::json::parse(text);
    for (const char* timed : {"tokens_per_second", "seconds", "peak_memory_bytes", "xxh3_128"}) {
      line.erase(timed);
    }
    lines.push_back(line.dump());
  }
  return lines;
}

TrainOutcome train_outcome(const std::filesystem::path& run, int steps) {
  TrainOutcome outcome;
  outcome.lines = timeless_metrics(run);
  for (const std::string& text : outcome.lines) {
    const nlohmann::json line = nlohmann::json::parse(text);
    if (!line.contains("loss")) continue;
    outcome.losses.push_back(line["loss"]);
    outcome.targets.push_back(line["targets"]);
  }
  outcome.state = slurp(checkpoint_folder(run, steps) / "state.safetensors");
  EXPECT_EQ(outcome.losses.size(), static_cast<std::size_t>(steps)) << run;
  EXPECT_FALSE(outcome.state.empty()) << run;
  return outcome;
}

void expect_equal(const TrainOutcome& got, const TrainOutcome& expected) {
  EXPECT_EQ(got.lines, expected.lines);
  EXPECT_TRUE(got.state == expected.state) << "the final state differs";
}

}  // namespace softcot::test
