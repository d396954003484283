// Which GPUs the steps of a sweep or a comparison see: the stand-in for the driver has eight and
// notes the CUDA_VISIBLE_DEVICES of every process that asks it. This build has no CUDA, so every
// step ends as soon as it has been told its GPU.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <set>
#include <sstream>

#include "support/files.h"
#include "support/job.h"
#include "support/tiny_model.h"
#include "support/tiny_tokenizer.h"

namespace softcot::test {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

/// "GPU-03030303-0303-0303-0303-030303030303"
std::string gpu(int number) {
  const std::string two = "0" + std::to_string(number);
  const std::string four = two + two;
  return "GPU-" + four + four + "-" + four + "-" + four + "-" + four + "-" + four + four + four;
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);) parts.push_back(part);
  return parts;
}

class SweepGpus : public ::testing::Test {
 protected:
  /// A sweep of `cells` evaluations that need nothing of each other.
  std::vector<std::string> sweep(int cells, std::vector<std::string> more) const {
    std::string seeds = "1";
    for (int seed = 2; seed <= cells; ++seed) seeds += ", " + std::to_string(seed);
    spill(project_.path("sweep.cfg"),
          "[axes]\nevaluate.seed = " + seeds +
              "\n[model]\npath = " + project_.path("backbone").string() +
              "\n[prompts]\nfile = " + project_.path("prompts.txt").string() +
              "\n[data]\neval-file = " + project_.path("eval.jsonl").string() +
              "\n[train]\nmethod = zero_shot_cot\n[evaluate]\ntemperature = 1\n");
    more.insert(more.begin(),
                {"sweep", "--config", project_.path("sweep.cfg"), "--out", project_.path("out")});
    return more;
  }

  JobOptions machine(std::map<std::string, std::string> more = {}, int ranks = 0) const {
    JobOptions options = on_ranks(ranks);
    options.environment = std::move(more);
    options.environment["LD_LIBRARY_PATH"] = SOFTCOT_CUDA_STAND_IN_FOLDER;
    options.environment.insert({"SOFTCOT_STAND_IN_GPUS", "8"});
    options.environment["SOFTCOT_STAND_IN_CUDA_LOG"] = log();
    return options;
  }
  std::filesystem::path log() const { return project_.path("gpus"); }

  /// What the steps were shown, in order; the runners themselves are shown `own`.
  std::vector<std::string> shown(const std::string& own = "") const {
    std::vector<std::string> lists;
    for (const std::string& list : split(slurp(log()), '\n')) {
      if (list != own) lists.push_back(list);
    }
    return lists;
  }
  /// Each of the GPUs in the lists, so often.
  static std::map<std::string, int> count(const std::vector<std::string>& lists) {
    std::map<std::string, int> counts;
    for (const std::string& list : lists) {
      for (const std::string& name : split(list, ',')) ++counts[name];
    }
    return counts;
  }

  TinyProject project_;
};

TEST_F(SweepGpus, EveryStepAtATimeHasAGpuOfItsOwn) {
  run_softcot(sweep(8, {"--jobs", "8", "--parallel.device", "cuda"}), machine());
  const auto lists = shown();
  EXPECT_THAT(lists, SizeIs(8)) << slurp(log());
  std::map<std::string, int> all;
  for (int number = 0; number < 8; ++number) all[gpu(number)] = 1;
  EXPECT_EQ(count(lists), all);
}

TEST_F(SweepGpus, StepsOfSeveralRanksHaveAsManyEach) {
  // It stands for mpirun: what it is told, its ranks see.
  const auto launcher =
      write_text(project_.path("launcher"), "echo \"$CUDA_VISIBLE_DEVICES\" >> \"$1\"\nsleep 1\n");
  const auto words = "/bin/sh " + launcher.string() + " " + log().string() + " {ranks}";
  run_softcot(
      sweep(4, {"--jobs", "4", "--ranks", "2", "--launcher", words, "--parallel.device", "cuda"}),
      machine());
  const auto lists = shown();
  const std::set<std::string> found(lists.begin(), lists.end());
  EXPECT_EQ(found, (std::set<std::string>{gpu(0) + "," + gpu(1), gpu(2) + "," + gpu(3),
                                          gpu(4) + "," + gpu(5), gpu(6) + "," + gpu(7)}));
}

TEST_F(SweepGpus, RanksOfOneJobShareAMachinesGpus) {
  run_softcot(sweep(4, {"--jobs", "2", "--parallel.device", "cuda"}), machine({}, 2));
  const auto lists = shown();
  EXPECT_GE(lists.size(), 4U) << slurp(log());  // The other rank may try again what has failed.
  for (const std::string& list : lists) {
    EXPECT_THAT(list, ::testing::AnyOf(gpu(0), gpu(1), gpu(2), gpu(3)));
  }
  EXPECT_GT(count(lists).size(), 1U);
}

TEST_F(SweepGpus, RanksOfOneJobShareItsCores) {
  const auto launcher =
      write_text(project_.path("launcher"), "echo \"${OMP_NUM_THREADS:-all}\" >> \"$1\"\nexit 3\n");
  JobOptions options = machine({}, 4);
  options.program =
      write_text(project_.path("program"), "#!/bin/sh\nunset OMP_NUM_THREADS\nexec " +
                                               std::string(SOFTCOT_PROGRAM) + " \"$@\"\n");
  std::filesystem::permissions(options.program, std::filesystem::perms::owner_all);
  const auto words = "/bin/sh " + launcher.string() + " " + log().string() + " {ranks}";
  run_softcot(sweep(2, {"--ranks", "2", "--launcher", words, "--parallel.device", "cpu"}), options);
  EXPECT_THAT(shown(), AllOf(Not(IsEmpty()), Each(Not("all"))));
}

TEST_F(SweepGpus, NamesAreThoseOfTheLauncherWhereItGaveAList) {
  for (const std::string own : {"4,5,6", "GPU-02020202-0202-0202-0202-020202020202,3,7",
                                "MIG-01010101-0101-0101-0101-010101010101,2,6"}) {
    SCOPED_TRACE(own);
    std::filesystem::remove(log());
    std::filesystem::remove_all(project_.path("out"));
    run_softcot(sweep(3, {"--jobs", "3", "--parallel.device", "cuda"}),
                machine({{"CUDA_VISIBLE_DEVICES", own}}));
    std::map<std::string, int> all;
    for (const std::string& name : split(own, ',')) all[name] = 1;
    EXPECT_EQ(count(shown(own)), all);
  }
}

TEST_F(SweepGpus, MoreStepsAtATimeThanGpusAreRefused) {
  expect_refused(
      sweep(9, {"--jobs", "9", "--parallel.device", "cuda"}), 6,
      {"more steps at a time than GPUs for them", "at least 9 GPUs", "8 that this", "lower --jobs"},
      machine());
  expect_refused(sweep(9, {"--jobs", "4", "--ranks", "3", "--parallel.device", "cuda"}), 6,
                 {"at least 12 GPUs, 3 for each of 4 steps", "8 that this process sees"},
                 machine());
  expect_refused(sweep(9, {"--jobs", "2", "--parallel.device", "cuda"}), 6,
                 {"more steps at a time", "1 that this"},
                 machine({{"SOFTCOT_STAND_IN_GPUS", "1"}}));
  EXPECT_THAT(shown(), IsEmpty());
}

TEST_F(SweepGpus, ADriversErrorIsReported) {
  expect_refused(sweep(2, {"--jobs", "2", "--parallel.device", "cuda"}), 6,
                 {"NVIDIA's driver shows no GPU", "error 802, system not ready"},
                 machine({{"SOFTCOT_STAND_IN_CUDA_ERROR", "802"}}));
}

TEST_F(SweepGpus, StepsOnCpusAreShownWhatTheSweepIs) {
  const ChildResult made =
      run_softcot(sweep(2, {"--jobs", "2", "--parallel.device", "cpu", "--evaluate.max-new-tokens",
                            "2", "--data.eval-limit", "2"}),
                  machine({{"SOFTCOT_STAND_IN_GPUS", "1"}}));
  EXPECT_EQ(made.status, 0) << made.err;  // One GPU for two steps is no reason to refuse them.
  EXPECT_FALSE(std::filesystem::exists(log()));
}

TEST_F(SweepGpus, TheOnlyStepAtATimeIsNotShownAList) {
  const auto launcher =
      write_text(project_.path("launcher"), "echo \"$CUDA_VISIBLE_DEVICES\" >> \"$1\"\nexit 3\n");
  spill(project_.path("suite.cfg"),
        "[suite]\ntitle = T\nmethods = zero_shot_cot\ntasks = gsm8k\n[model]\npath = " +
            project_.path("backbone").string() +
            "\n[prompts]\nfile = " + project_.path("prompts.txt").string() +
            "\n[task.gsm8k]\ndata.file = " + project_.path("train.jsonl").string() +
            "\ndata.eval-file = " + project_.path("eval.jsonl").string() + "\n");
  const std::vector<std::string> call = {
      "compare",
      "--suite",
      project_.path("suite.cfg"),
      "--out",
      project_.path("compared"),
      "--ranks",
      "2",
      "--launcher",
      "/bin/sh " + launcher.string() + " " + log().string() + " {ranks}",
      "--parallel.device",
      "cuda"};
  run_softcot(call, machine());
  // A launcher may use the GPUs of more machines.
  EXPECT_THAT(shown("all"), AllOf(Not(IsEmpty()), Each("")));
  // One step at a time is not refused: its launcher may know of other machines.
  std::filesystem::remove(log());
  run_softcot(call, machine({{"SOFTCOT_STAND_IN_GPUS", "1"}, {"CUDA_VISIBLE_DEVICES", "0"}}));
  EXPECT_THAT(shown(), Each("0"));
}

}  // namespace
}  // namespace softcot::test
