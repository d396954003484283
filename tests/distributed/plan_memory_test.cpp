// The memory that `softcot plan --device cpu` says a training needs, against the peak that the
// system measured in that training, for methods, precisions and layouts: within 10 %.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/job.h"
#include "support/tiny_model.h"

namespace softcot::test {
namespace {

constexpr double kBound = 0.10;

struct Case {
  const char* method;
  const char* dtype;
  int tp, dp;
};

std::string name_of(const Case& which) {
  return std::string(which.method) + "_" + which.dtype + "_tp" + std::to_string(which.tp) + "_dp" +
         std::to_string(which.dp);
}

std::string case_name(const ::testing::TestParamInfo<Case>& info) { return name_of(info.param); }

std::vector<std::string> with(std::vector<std::string> call, const std::vector<std::string>& more) {
  call.insert(call.end(), more.begin(), more.end());
  return call;
}

/// peak_memory_bytes of a run's last step, which comes after a checkpoint.
double measured_peak(const std::filesystem::path& run) {
  std::ifstream lines(run / "metrics.jsonl");
  double peak = 0;
  for (std::string line; std::getline(lines, line);) {
    const auto json = nlohmann::json::parse(line);
    if (json.contains("peak_memory_bytes")) peak = json["peak_memory_bytes"].get<double>();
  }
  return peak;
}

double planned_peak(const std::vector<std::string>& call, int tp) {
  const ChildResult result = run_softcot(call);
  EXPECT_EQ(result.status, 0) << result.err;
  const auto plan = nlohmann::json::parse(result.out);
  for (const auto& layout : plan.at("layouts")) {
    if (layout.at("tp") == tp) return layout.at("peak_memory_bytes").get<double>();
  }
  ADD_FAILURE() << "no layout with tp " << tp << " in " << result.out;
  return 0;
}

/// `settings` are what training and plan have in common.
void compare(const Case& which, const std::vector<std::string>& settings,
             const std::vector<std::string>& of_training, const std::filesystem::path& run) {
  const int ranks = which.tp * which.dp;
  const std::vector<std::string> what = {"--method", which.method, "--dtype", which.dtype};
  const auto common = with(settings, what);
  const auto train =
      with(with(with({"train"}, common), of_training),
           {"--run.folder", run.string(), "--parallel.tp", std::to_string(which.tp)});
  const ChildResult result = run_softcot(train, ranks > 1 ? on_ranks(ranks) : JobOptions{});
  ASSERT_EQ(result.status, 0) << result.err;
  const double measured = measured_peak(run);
  const double planned = planned_peak(
      with(with({"plan"}, common), {"--device", "cpu", "--ranks", std::to_string(ranks), "--json"}),
      which.tp);
  std::printf("%-32s planned %7.1f MB, measured %7.1f MB, %+.1f %%\n", name_of(which).c_str(),
              planned / 1e6, measured / 1e6, 100 * (planned / measured - 1));
  EXPECT_NEAR(planned / measured, 1, kBound);
}

class TinyPlan : public ::testing::TestWithParam<Case> {
 protected:
  static void SetUpTestSuite() {
    project_ = new TinyProject();
    project_->precompute();
  }
  static void TearDownTestSuite() { delete project_; }
  static TinyProject* project_;
};

TinyProject* TinyPlan::project_ = nullptr;

TEST_P(TinyPlan, MatchesTheMeasuredPeak) {
  const auto path = [](const char* name) { return project_->path(name).string(); };
  compare(GetParam(), {"--config", path("project.cfg")}, {"--thoughts.cache", path("caches")},
          project_->path(name_of(GetParam())));
}

INSTANTIATE_TEST_SUITE_P(
    Layouts, TinyPlan,
    ::testing::Values(Case{"softcot", "float32", 1, 1}, Case{"softcot", "bfloat16", 1, 1},
                      Case{"softcot", "float32", 2, 1}, Case{"softcot", "bfloat16", 2, 1},
                      Case{"softcot", "float32", 1, 2}, Case{"lora", "float32", 1, 1},
                      Case{"full", "float32", 2, 2}),
    case_name);

class RealPlan : public ::testing::TestWithParam<Case> {
 protected:
  static void SetUpTestSuite() { folder_ = new TemporaryFolder(); }
  static void TearDownTestSuite() { delete folder_; }
  static TemporaryFolder* folder_;
};

TemporaryFolder* RealPlan::folder_ = nullptr;

TEST_P(RealPlan, MatchesTheMeasuredPeak) {
  const auto model = model_folder("SmolLM2-135M-Instruct");
  if (!model) GTEST_SKIP() << "no SmolLM2-135M-Instruct (SOFTCOT_MODELS)";
  // The second step comes after a checkpoint, which a training of all weights feels.
  const std::filesystem::path caches = folder_->path() / "caches";
  const std::string file = SOFTCOT_BENCHMARK_FOLDER "/gsm8k/train.jsonl";
  const std::string prompts = SOFTCOT_PROMPT_FOLDER "/math.txt";
  const std::vector<std::string> data = {
      "--model", model->string(),  "--data.file", file, "--data.limit", "8", "--thoughts",
      "32",      "--prompts.file", prompts};
  const ChildResult cached =
      run_softcot(with(with({"precompute"}, data), {"--thoughts.cache", caches.string()}));
  ASSERT_EQ(cached.status, 0) << cached.err;
  compare(GetParam(),
          with(data, {"--batch", "4", "--train.steps", "2", "--train.checkpoint-every", "1"}),
          {"--thoughts.cache", caches.string()}, folder_->path() / name_of(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(
    SmolLM2, RealPlan,
    ::testing::Values(Case{"softcot", "float32", 1, 1}, Case{"softcot", "bfloat16", 1, 1},
                      Case{"softcot", "float32", 3, 1}, Case{"softcot", "bfloat16", 3, 1},
                      Case{"softcot", "bfloat16", 1, 2}, Case{"lora", "bfloat16", 1, 1},
                      Case{"lora", "float32", 3, 1}, Case{"full", "float32", 1, 1},
                      Case{"full", "float32", 3, 1}),
    case_name);

}  // namespace
}  // namespace softcot::test
