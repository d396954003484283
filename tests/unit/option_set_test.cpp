#include "launch/options/option_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <set>

#include "launch/options/nearest_name.h"
#include "launch/options/option_help.h"
#include "support/fixtures.h"

namespace softcot {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

enum class Shape { kLinear, kCosine, kConstant };

struct Example {
  std::filesystem::path model;
  int batch = 4;
  double rate = 3e-4;
  bool pack = true;
  Shape shape = Shape::kCosine;
  std::vector<std::string> methods = {"softcot", "cot"};
  std::uint64_t seed = 41;
  int idle = 1;
};

class OptionSetTest : public ::testing::Test {
 protected:
  OptionSetTest() : options("train", "Train the projection.") {
    options.add_section("model", "The backbone.");
    options.add("model.path", &values.model, "Model folder.").required = true;
    options.add_alias("model", "model.path");
    options.add_section("train", "The training run.");
    options.add("train.batch", &values.batch, "Rows of a step.", at_least(1)).unit = "rows";
    options.add("train.learning-rate", &values.rate, "Highest rate.", above_up_to(0, 1));
    options.add("train.pack", &values.pack, "Pack rows.");
    options.add("train.schedule", &values.shape, "Decay of the rate.",
                Choices<Shape>{{"linear", Shape::kLinear},
                               {"cosine", Shape::kCosine},
                               {"constant", Shape::kConstant}});
    options.add("train.methods", &values.methods, "Methods.");
    options.add("train.seed", &values.seed, "Seed.", any_number());
    options.add_section("bench", "Another command's.");
    options.add("bench.steps", &values.idle, "Steps.", at_least(1)).used = false;
    options.add_example("softcot train --model DIR", "train on the built-in defaults");
  }

  /// The error lines of reading this; empty when all is well.
  std::vector<std::string> read(std::vector<std::string> arguments,
                                std::map<std::string, std::string> environment = {}) {
    try {
      options.read(arguments, environment);
    } catch (const OptionErrors& errors) {
      EXPECT_EQ(errors.code(), ExitCode::kUsage);
      std::vector<std::string> lines;
      for (const Problem& problem : errors.problems()) {
        lines.push_back(format_error(errors.code(), problem));
      }
      EXPECT_EQ(lines.front(), errors.what());
      return lines;
    }
    return {};
  }

  std::string file(const std::string& text) {
    const std::filesystem::path path = folder.path() / "run.cfg";
    std::ofstream(path) << text;
    return path.string();
  }

  test::TemporaryFolder folder;
  Example values;
  OptionSet options;
};

TEST_F(OptionSetTest, TakesBothSpellingsOfTheCommandLine) {
  EXPECT_THAT(read({"--model=/m", "--train.batch", "8", "--train.learning_rate=1e-3",
                    "--train.pack", "off", "--train.schedule", "linear", "--train.seed",
                    "18446744073709551615", "--train.methods="}),
              ElementsAre());
  EXPECT_EQ(values.model, "/m");
  EXPECT_EQ(values.batch, 8);
  EXPECT_DOUBLE_EQ(values.rate, 1e-3);
  EXPECT_FALSE(values.pack);
  EXPECT_EQ(values.shape, Shape::kLinear);
  EXPECT_TRUE(values.methods.empty());
  EXPECT_EQ(values.seed, 18446744073709551615U);
}

TEST_F(OptionSetTest, LaterSourcesWinAndAreRemembered) {
  const std::string path =
      file("# a comment\n[train]\nbatch = 5 # rows\nlearning_rate = 0.5\r\nseed = 7\n");
  EXPECT_THAT(read({"--config", path, "--train.seed", "9", "--model", "/m"},
                   {{"SOFTCOT_TRAIN_LEARNING_RATE", "0.25"}, {"SOFTCOT_TRAIN_SEED", "8"}}),
              ElementsAre());
  EXPECT_EQ(values.batch, 5);
  EXPECT_DOUBLE_EQ(values.rate, 0.25);
  EXPECT_EQ(values.seed, 9U);
  EXPECT_EQ(options.origin("train.batch"), path + ":3");
  EXPECT_EQ(options.origin("train.learning-rate"), "SOFTCOT_TRAIN_LEARNING_RATE");
  EXPECT_EQ(options.origin("train.seed"), "command line");
  EXPECT_EQ(options.origin("train.schedule"), "default");
}

TEST_F(OptionSetTest, ConfigFileIsNamedByTheEnvironmentToo) {
  const std::string path = file("[train]\nbatch = 5\n");
  EXPECT_THAT(read({"--model=/m"}, {{"SOFTCOT_CONFIG", path}}), ElementsAre());
  EXPECT_EQ(values.batch, 5);
}

TEST_F(OptionSetTest, NamesTheNearestOption) {
  EXPECT_THAT(read({"--model=/m", "--train.bacth", "3"}),
              ElementsAre("error[2] unknown option: --train.bacth, command line — did you mean "
                          "--train.batch?"));
  EXPECT_THAT(read({"--model=/m", "--learning-rate=3"}),
              ElementsAre(HasSubstr("did you mean --train.learning-rate?")));
  EXPECT_THAT(read({"--model=/m", "--zzzzzzzzzz"}),
              ElementsAre(HasSubstr("softcot train --help lists them")));
  EXPECT_THAT(read({"--model=/m", "-train.bach", "3", "--zzzzzzzzzz=1", "--seeed", "1"}),
              ElementsAre(HasSubstr("did you mean --train.batch?"), HasSubstr("--zzzzzzzzzz"),
                          HasSubstr("did you mean --train.seed?")));
  const std::string path = file("[trian]\nbatch = 5\n");
  EXPECT_THAT(read({"--model=/m", "--config", path}),
              ElementsAre("error[2] unknown option: trian.batch, " + path +
                          ":2 — did you mean train.batch?"));
  EXPECT_THAT(
      read({"--model=/m"}, {{"SOFTCOT_TRAIN_BATHC", "1"}}),
      ElementsAre(HasSubstr("train.bathc, SOFTCOT_TRAIN_BATHC — did you mean train.batch")));
}

TEST_F(OptionSetTest, NamesTheLegalRange) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"--train.batch=0", "(expected an integer of at least 1 (rows), got 0)"},
      {"--train.batch=2.5", "(expected an integer of at least 1 (rows), got 2.5)"},
      {"--train.batch=99999999999", "got 99999999999)"},
      {"--train.batch=", "got nothing)"},
      {"--train.learning-rate=nan", "(expected a finite number above 0 and at most 1, got nan)"},
      {"--train.learning-rate=inf", "got inf)"},
      {"--train.learning-rate=0", "got 0)"},
      {"--train.learning-rate=1e-3x", "got 1e-3x)"},
      {"--train.seed=-1", "an integer of at least 0, got -1)"},
      {"--train.pack=maybe", "(expected on or off, got maybe)"},
      {"--train.schedule=step", "(expected one of linear, cosine, constant, got step)"},
      {"--train.methods=a,,b", "got a,,b)"},
      {"--train.methods=a,b,a", "each item once, got a,b,a)"}};
  for (const auto& [argument, complaint] : cases) {
    EXPECT_THAT(read({"--model=/m", argument}), ElementsAre(HasSubstr(complaint))) << argument;
  }
  EXPECT_EQ(values.batch, 4);
  EXPECT_DOUBLE_EQ(values.rate, 3e-4);
  values = Example();
  EXPECT_THAT(read({"--model="}), ElementsAre(HasSubstr("option is missing: --model.path")));
}

TEST_F(OptionSetTest, CollectsEveryProblemOfEverySource) {
  const std::string path = file("[train]\nbatch = 0\nbatch = 2\nnonsense\n[bench]\nsteps = 0\n");
  const std::vector<std::string> lines =
      read({"--config", path, "--train.seed", "--train.pack=2", "left-over"},
           {{"SOFTCOT_TRAIN_SCHEDULE", "x"}});
  EXPECT_THAT(lines, ElementsAre(HasSubstr("option needs a value: --train.seed"),
                                 HasSubstr("unexpected argument: left-over"),
                                 HasSubstr("option given twice: train.batch, " + path + ":3"),
                                 HasSubstr("line not understood: " + path + ":4"),
                                 HasSubstr("train.batch, " + path + ":2"),
                                 HasSubstr("bench.steps, " + path + ":6"),
                                 HasSubstr("train.schedule, SOFTCOT_TRAIN_SCHEDULE"),
                                 HasSubstr("train.pack, command line"),
                                 HasSubstr("option is missing: --model.path")));
}

TEST_F(OptionSetTest, RefusesConfigFilesThatCannotBeRead) {
  EXPECT_THAT(read({"--model=/m", "--config", "/no/such.cfg"}),
              ElementsAre(HasSubstr("config file cannot be read: /no/such.cfg")));
  EXPECT_THAT(read({"--model=/m", "--config", folder.path().string()}),
              ElementsAre(HasSubstr("config file cannot be read")));
}

TEST_F(OptionSetTest, KnownSectionsServeOtherCommandsOnly) {
  EXPECT_THAT(read({"--model=/m"}, {{"SOFTCOT_BENCH_STEPS", "3"}}), ElementsAre());
  EXPECT_EQ(values.idle, 3);
  EXPECT_THAT(read({"--model=/m", "--bench.steps=4"}),
              ElementsAre(HasSubstr("softcot train does not use this option: --bench.steps")));
  EXPECT_THAT(help_page(options), Not(HasSubstr("bench.steps")));
  EXPECT_THAT(options.effective_config(), Not(HasSubstr("bench")));
}

TEST_F(OptionSetTest, ConfigurationInForceReadsBackUnchanged) {
  EXPECT_THAT(read({"--model=/m x", "--train.learning-rate=0.1234567890123456789",
                    "--train.methods=cot", "--train.pack=no"}),
              ElementsAre());
  const std::string saved = options.effective_config();
  EXPECT_THAT(saved, HasSubstr("batch = 4  # default\n"));
  EXPECT_THAT(saved, HasSubstr("pack = off  # command line\n"));
  const std::map<std::string, std::string> before = options.values();
  const std::uint64_t hash = options.values_hash();
  values = Example();
  EXPECT_NE(options.values_hash(), hash);
  EXPECT_THAT(read({"--config", file(saved)}), ElementsAre());
  EXPECT_EQ(options.values(), before);
  EXPECT_EQ(options.values_hash(), hash);
}

TEST_F(OptionSetTest, RefusesValuesThatTheSavedConfigurationWouldLose) {
  EXPECT_THAT(read({"--model=/m#1"}), ElementsAre(HasSubstr("(expected no '#'")));
  EXPECT_THAT(read({"--model=/m\n[train]"}), ElementsAre(HasSubstr("config file")));
}

TEST_F(OptionSetTest, ArgumentWithoutAName) {
  std::filesystem::path path;
  bool verify = false;
  OptionSet inspect("inspect", "Show a folder.");
  inspect.add_argument("PATH", &path, "A folder.").required = true;
  inspect.add("verify", &verify, "Read everything.");
  EXPECT_THROW(inspect.read({}, {}), OptionErrors);
  EXPECT_THROW(inspect.read({"--PATH=/x"}, {}), OptionErrors);
  inspect.read({"--verify", "/folder"}, {});
  EXPECT_EQ(path, "/folder");
  EXPECT_TRUE(verify);
  EXPECT_THROW(inspect.read({"/one", "/two"}, {}), OptionErrors);
}

TEST_F(OptionSetTest, HelpAndParserAreEqual) {
  const std::string help = help_page(options);
  std::set<std::string> shown;
  const std::regex name("\n  --([a-z.-]+)(, --[a-z.-]+)*");
  for (std::sregex_iterator match(help.begin(), help.end(), name), end; match != end; ++match) {
    shown.insert((*match)[1].str());
  }
  std::set<std::string> parsed;
  for (const Option& option : options.options()) {
    if (option.used) parsed.insert(option.name);
  }
  EXPECT_EQ(shown, parsed);
  for (const Option& option : options.options()) {
    if (!option.used) continue;
    EXPECT_THAT(help, HasSubstr(option.help));
    EXPECT_TRUE(option.binding.is_flag || option.default_text.empty() ||
                help.find("default " + option.default_text) != std::string::npos)
        << option.name;
    EXPECT_TRUE(option.binding.assign(option.default_text)) << option.name;
    EXPECT_EQ(option.binding.text(), option.default_text) << option.name;
  }
  EXPECT_THAT(help, HasSubstr("softcot train --model DIR"));
}

TEST_F(OptionSetTest, HelpNeedsNothingElse) {
  EXPECT_THAT(read({"-h"}), ElementsAre());
  EXPECT_TRUE(options.help_asked());
}

TEST(NearestName, CountsEdits) {
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3);
  EXPECT_EQ(edit_distance("train", "trian"), 1);
  EXPECT_EQ(edit_distance("", "abc"), 3);
  EXPECT_EQ(nearest_name("evalute", {"train", "evaluate"}), "evaluate");
  EXPECT_EQ(nearest_name("xyzzy", {"train", "evaluate"}), std::nullopt);
}

}  // namespace
}  // namespace softcot
