// Commands that need no other rank do their work wherever a launcher has started them: in a script
// under mpirun or srun, each process on input and output of its own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>

#include "support/files.h"
#include "support/job.h"
#include "support/tiny_model.h"

namespace softcot::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

using Environment = std::map<std::string, std::string>;

/// What launchers tell the second process of a job.
const std::vector<std::pair<std::string, Environment>>& launchers() {
  static const std::vector<std::pair<std::string, Environment>> all = {
      {"slurm", {{"SLURM_PROCID", "1"}}},
      {"srun",
       {{"SLURM_PROCID", "1"},
        {"SLURM_STEP_ID", "0"},
        {"SLURM_STEP_NUM_TASKS", "2"},
        {"SLURM_STEP_TASKS_PER_NODE", "2"}}},
      {"mpirun",
       {{"OMPI_COMM_WORLD_RANK", "1"},
        {"OMPI_COMM_WORLD_SIZE", "2"},
        {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"}}},
      {"pmi", {{"PMI_RANK", "1"}, {"PMI_SIZE", "2"}}},
      {"pmix", {{"PMIX_RANK", "1"}, {"PMIX_NAMESPACE", "job"}}}};
  return all;
}

/// A project with a trained and evaluated run, made once.
const TinyProject& project() {
  static const TinyProject made;
  static const bool ready = [] {
    made.precompute();
    for (const auto& call : {made.call_in("run", "train"), made.call_in("run", "evaluate")}) {
      const ChildResult result = run_softcot(call);
      EXPECT_EQ(result.status, 0) << result.err;
    }
    return true;
  }();
  EXPECT_TRUE(ready);
  return made;
}

struct Case {
  std::string name;
  std::vector<std::string> arguments;  // OUT stands for a path of the call's own.
  std::string input;
};

std::vector<Case> cases() {
  const std::string run = project().path("run");
  const std::string model = project().path("backbone");
  return {
      {"version", {"--version"}, ""},
      {"help", {"--help"}, ""},
      {"train --help", {"train", "--help"}, ""},
      {"tokenize", {"tokenize", "--model", model}, "{\"text\": \"one\"}\n{\"text\": \"two\"}\n"},
      {"preview", project().call("preview", {"--rows", "2"}), ""},
      {"inspect", {"inspect", run}, ""},
      {"inspect --verify", {"inspect", project().path("caches"), "--verify"}, ""},
      {"plan", project().call("plan", {"--device", "cpu"}), ""},
      {"report of a run", {"report", "--run", run, "--output", "OUT.html"}, ""},
      {"report", {"report", run, "--out", "OUT"}, ""},
      {"export", {"export", "--run.folder", run, "--out", "OUT"}, ""},
      {"augment",
       {"augment", "--file", std::string(SOFTCOT_TEST_DATA) + "/asdiv.xml", "--out", "OUT"},
       ""}};
}

/// A call with its standard output, and all that it wrote, under names without OUT's own.
std::map<std::string, std::string> outcome(const Case& each, const Environment& environment,
                                           std::string& err) {
  const TemporaryFolder place;
  const std::string out = place.path() / "out";
  std::vector<std::string> call = {SOFTCOT_PROGRAM};
  for (std::string argument : each.arguments) {
    if (argument.starts_with("OUT")) argument.replace(0, 3, out);
    call.push_back(argument);
  }
  const ChildResult result = run_child(call, each.input, environment);
  err = result.err;
  std::map<std::string, std::string> all = {{"status", std::to_string(result.status)}};
  std::string text = result.out;
  for (std::size_t at = text.find(out); at != std::string::npos; at = text.find(out)) {
    text.replace(at, out.size(), "OUT");
  }
  all["stdout"] = text;
  for (const std::string& name : names_below(place.path())) {
    const auto file = place.path() / name;
    if (std::filesystem::is_regular_file(file)) all[name] = slurp(file);
  }
  return all;
}

TEST(LauncherEnvironment, CommandsWithoutMpiDoTheirWork) {
  for (const Case& each : cases()) {
    std::string err;
    const auto alone = outcome(each, {}, err);
    ASSERT_EQ(alone.at("status"), "0") << each.name << err;
    ASSERT_NE(alone.at("stdout"), "") << each.name;
    for (const auto& [launcher, environment] : launchers()) {
      EXPECT_EQ(outcome(each, environment, err), alone)
          << each.name << " under " << launcher << err;
    }
  }
}

TEST(LauncherEnvironment, TheyReportTheirOwnErrorsAtOnce) {
  const TemporaryFolder folder;
  for (const auto& [launcher, environment] : launchers()) {
    for (const char* command :
         {"tokenize", "preview", "inspect", "plan", "report", "export", "augment"}) {
      const auto begin = std::chrono::steady_clock::now();
      const ChildResult result =
          run_child({SOFTCOT_PROGRAM, command, "--no-such-option"}, "", environment);
      EXPECT_EQ(result.status, 2) << command;
      EXPECT_EQ(result.err.rfind("error[2] ", 0), 0U) << command << launcher << ": " << result.err;
      EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(4)) << command;
    }
  }
}

TEST(LauncherEnvironment, ASweepIsWholeWhereOnlyItsRankIsTold) {
  const auto file = project().path("sweep.cfg");
  spill(file, "[sweep]\ntitle = Tiny\n[axes]\nmethod = zero_shot_cot\n" +
                  slurp(project().path("project.cfg")));
  for (const auto& [name, value] : Environment{{"SLURM_PROCID", "1"}, {"PMI_RANK", "3"}}) {
    const ChildResult result = run_child({SOFTCOT_PROGRAM, "sweep", "--config", file, "--out",
                                          project().path("sweep"), "--ranks", "2", "--dry-run"},
                                         "", {{name, value}});
    EXPECT_EQ(result.status, 0) << result.err;
    EXPECT_THAT(result.out, HasSubstr("cells/zero_shot_cot")) << name << result.err;
  }
}

TEST(LauncherEnvironment, DoctorLooksAtTheMachineOfEveryProcess) {
  for (const auto& [launcher, environment] : launchers()) {
    if (launcher == "mpirun") continue;  // A real one is there, or MPI cannot start.
    const ChildResult result = run_child({SOFTCOT_PROGRAM, "doctor"}, "", environment);
    EXPECT_EQ(result.status, 0) << launcher << result.err;
    EXPECT_THAT(result.out, HasSubstr("LibTorch")) << launcher;
  }
}

ChildResult mpirun(int ranks, const std::string& script) {
  const std::string program = std::string("softcot() { '") + SOFTCOT_PROGRAM + "' \"$@\"; }; ";
  return run_child(under_mpirun(ranks, {"sh", "-c", program + script}));
}

TEST(LauncherEnvironment, EveryProcessOfMpirunTokenizesItsPart) {
  const TemporaryFolder folder;
  const std::string at = folder.path() / "";
  spill(at + "part.0", "{\"text\": \"a\"}\n");
  spill(at + "part.1", "{\"text\": \"b\"}\n{\"text\": \"c\"}\n");
  const ChildResult result =
      mpirun(2, "softcot tokenize --model '" + project().path("backbone").string() + "' < '" + at +
                    "'part.$OMPI_COMM_WORLD_RANK > '" + at + "'out.$OMPI_COMM_WORLD_RANK");
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(lines_with(slurp(at + "out.0"), "\"decoded\":\"a\""), SizeIs(1));
  EXPECT_THAT(lines_with(slurp(at + "out.1"), "\"decoded\""), SizeIs(2));
}

TEST(LauncherEnvironment, TheSecondProcessOfMpirunReportsItsOwnError) {
  const TemporaryFolder folder;
  const std::string at = folder.path() / "";
  spill(at + "part.0", "{\"text\": \"a\"}\n");
  spill(at + "part.1", "{\"txt\": \"b\"}\n");
  const ChildResult result =
      mpirun(2, "softcot tokenize --model '" + project().path("backbone").string() + "' < '" + at +
                    "'part.$OMPI_COMM_WORLD_RANK");
  EXPECT_EQ(result.status, 3) << result.err;
  EXPECT_THAT(lines_with(result.err, "error[3]"), SizeIs(1)) << result.err;
  EXPECT_THAT(result.err, Not(HasSubstr("rank 1: ")));
}

TEST(LauncherEnvironment, OneProcessOfMpirunWritesAnOutputThatAllName) {
  const TemporaryFolder folder;
  const std::string run = project().path("run");
  const std::string at = folder.path() / "";
  for (const std::string& call :
       {"report '" + run + "' --out '" + at + "report'",
        "report --run '" + run + "' --output '" + at + "page.html'",
        "export --run.folder '" + run + "' --out '" + at + "export'",
        std::string("augment --file '" SOFTCOT_TEST_DATA "/asdiv.xml' --out '") + at +
            "augment'"}) {
    const ChildResult alone = run_child({"sh", "-c", std::string(SOFTCOT_PROGRAM) + " " + call});
    ASSERT_EQ(alone.status, 0) << alone.err;
    std::filesystem::remove_all(at + "export");
    const ChildResult all = mpirun(4, "softcot " + call);
    EXPECT_EQ(all.status, 0) << call << all.err;
    EXPECT_EQ(all.out, alone.out) << call;
  }
  EXPECT_THAT(names_below(folder.path()), Not(::testing::Contains(HasSubstr(".lock"))));
  // The same script may write it again, and each process its own.
  const ChildResult twice =
      mpirun(2, "softcot report '" + run + "' --out '" + at + "report' && softcot report '" + run +
                    "' --out '" + at + "report'");
  EXPECT_EQ(twice.status, 0) << twice.err;
  EXPECT_THAT(lines_with(twice.out, "report: "), SizeIs(2)) << twice.out;
  const ChildResult own = mpirun(
      2, "softcot export --run.folder '" + run + "' --out '" + at + "'own.$OMPI_COMM_WORLD_RANK");
  EXPECT_EQ(own.status, 0) << own.err;
  for (const char* name : {"own.0", "own.1"}) {
    EXPECT_THAT(names_below(folder.path() / name), SizeIs(1)) << name;
  }
}

}  // namespace
}  // namespace softcot::test
