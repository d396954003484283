// ASDiv-Aug: on a file made for this test, and on ASDiv itself where the machine has it.
#include "data/asdiv_augment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>

#include "data/asdiv_numbers.h"
#include "data/benchmark.h"
#include "data/number_words.h"
#include "runtime/atomic_file.h"
#include "runtime/error.h"
#include "support/fixtures.h"
#include "unit/formula_checker.h"

namespace softcot {
namespace {

using testing::HasSubstr;

struct Made {
  explicit Made(const std::filesystem::path& source, std::uint64_t seed = 1)
      : report(augment_file(source, folder.path() / "out", {.seed = seed})) {
    for (const char* name : {"train.jsonl", "test.jsonl"}) {
      text[name] = read_file(folder.path() / "out" / name, 1u << 30);
      std::ifstream lines(folder.path() / "out" / name);
      for (std::string line; std::getline(lines, line);) {
        copies.push_back(nlohmann::json::parse(line));
        side[copies.back()["id"].get<std::string>()] = name;
      }
    }
  }
  test::TemporaryFolder folder;
  AugmentReport report;
  std::map<std::string, std::string> text;
  std::map<std::string, std::string> side;
  std::vector<nlohmann::json> copies;
};

std::string source_of(const nlohmann::json& copy) {
  const auto id = copy["id"].get<std::string>();
  return id.substr(0, id.find('/'));
}

void expect_sound(const Made& made, const std::filesystem::path& source) {
  std::map<std::string, Record> originals;
  for (Record& record : read_benchmark("asdiv", source)) {
    const std::string id = record.id;
    originals.emplace(id, std::move(record));
  }
  std::map<std::string, std::set<std::string>> questions;
  std::map<std::string, std::set<std::string>> sides;
  for (const auto& copy : made.copies) {
    const std::string id = source_of(copy);
    const auto question = copy["question"].get<std::string>();
    const auto answer = copy["answer"].get<std::string>();
    // The answer is what the formula gives, and is as whole as the original's.
    const double expected = test::answer_of(copy["formula"], copy["part"]);
    EXPECT_NEAR(std::stod(answer), expected, 1e-9 * std::max(1.0, std::abs(expected))) << copy;
    EXPECT_GE(std::stod(answer), 0) << copy;
    const bool was_whole = originals.at(id).answer.find('.') == std::string::npos;
    EXPECT_TRUE(!was_whole || answer.find('.') == std::string::npos) << copy;
    const auto last_step = copy["rationale"].back().get<std::string>();
    const std::string ending = copy["part"] == "rest" ? "remainder " + answer : "= " + answer;
    EXPECT_THAT(last_step,
                copy["part"] == "quotient" ? HasSubstr(ending + " remainder") : HasSubstr(ending));
    EXPECT_TRUE(copy["part"] == "quotient" || last_step.ends_with(ending)) << copy;
    EXPECT_NE(question, originals.at(id).question);
    EXPECT_TRUE(questions[id].insert(question).second) << copy;
    sides[id].insert(made.side.at(copy["id"].get<std::string>()));
  }
  for (const auto& [id, copies] : questions) EXPECT_EQ(copies.size(), 5u) << id;
  for (const auto& [id, files] : sides) EXPECT_EQ(files.size(), 1u) << id;
  const AugmentReport& report = made.report;
  EXPECT_EQ(report.train + report.test, 5 * report.used);
  EXPECT_EQ(static_cast<std::int64_t>(made.copies.size()), 5 * report.used);
  EXPECT_EQ(report.used +
                std::accumulate(report.obstacles.begin(), report.obstacles.end(), std::int64_t{0}),
            report.problems);
}

const std::filesystem::path kSample = std::filesystem::path(SOFTCOT_TEST_DATA) / "asdiv.xml";

TEST(Augment, EveryAnswerIsTheFormulasAndEveryProblemIsCounted) {
  const Made made(kSample);
  expect_sound(made, kSample);
  EXPECT_EQ(made.report.problems, 10);
  EXPECT_EQ(made.report.used, 5);
  // Formula: 9 and 10. Unexplained: 8. Tied: 7. Nothing to vary: 6.
  EXPECT_THAT(made.report.obstacles, testing::ElementsAre(2, 1, 1, 1, 0));
  EXPECT_GT(made.report.redraws.fractional, 0);  // (85-7)/6
}

TEST(Augment, IsAFunctionOfItsSeed) {
  const Made first(kSample);
  EXPECT_EQ(first.text, Made(kSample).text);
  EXPECT_NE(first.text, Made(kSample, 2).text);
}

TEST(Augment, CopiesOfOneProblemDoNotHangOnTheOthers) {
  AsdivProblem problem;
  for_each_asdiv_problem(kSample, [&](const AsdivProblem& found) {
    problem = found;
    return found.id != "own-0005";
  });
  RedrawCounts redraws;
  AsdivObstacle obstacle{};
  const auto alone = augment_problem(problem, {}, redraws, obstacle);
  ASSERT_EQ(alone.size(), 5u);
  const Made made(kSample);
  int found = 0;
  for (const auto& copy : made.copies) {
    for (const auto& same : alone) {
      found += copy["id"] == same.id && copy["question"] == same.question ? 1 : 0;
    }
  }
  EXPECT_EQ(found, 5);
}

TEST(Augment, NumbersKeepTheirLook) {
  for (const auto& copy : Made(kSample).copies) {
    const auto question = copy["question"].get<std::string>();
    if (source_of(copy) == "own-0001") {
      EXPECT_TRUE(question[0] >= 'A' && question[0] <= 'Z') << question;
      EXPECT_EQ(question.find_first_of("0123456789"), std::string::npos) << question;
    }
    if (source_of(copy) == "own-0002") {
      EXPECT_THAT(question, testing::ContainsRegex("has (a|an) [0-9]+-cm ribbon"));
      const bool vowel =
          question.find(" 8") != std::string::npos && question.find(" 8") < question.find("-cm");
      EXPECT_EQ(question.find("has an ") != std::string::npos, vowel) << question;
    }
    if (source_of(copy) == "own-0004") {
      EXPECT_THAT(question, testing::ContainsRegex("\\$[0-9]+\\.[0-9][0-9] a pack"));
    }
    if (source_of(copy) == "own-0005") {
      EXPECT_THAT(question, HasSubstr("Two bells"));
    }
  }
}

TEST(Augment, ProblemsThatDifferInNumbersOnlyAreOnOneSide) {
  AsdivProblem a{
      .id = "a", .text = "Ann has 3 pens.", .type = "", .answer = "", .formula = "", .where = ""};
  AsdivProblem b = a;
  b.text = "Ann has twelve pens.";
  int testing_ones = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const AugmentOptions options{.seed = seed};
    EXPECT_EQ(is_for_testing(a, options), is_for_testing(b, options));
    testing_ones += is_for_testing(a, options) ? 1 : 0;
  }
  EXPECT_NEAR(testing_ones, 40, 20);
}

AsdivProblem made_up(const std::string& text, const std::string& formula,
                     const std::string& answer) {
  return {.id = "m",
          .text = text,
          .type = "Addition",
          .answer = answer,
          .formula = formula,
          .where = ""};
}

TEST(Augment, WhatTheFormulaHidesIsLeftOut) {
  RedrawCounts redraws;
  const auto obstacle_of = [&](const AsdivProblem& problem) {
    AsdivObstacle obstacle{};
    EXPECT_TRUE(augment_problem(problem, {}, redraws, obstacle).empty()) << problem.text;
    return obstacle;
  };
  EXPECT_EQ(obstacle_of(made_up("A machine doubles a number and adds 3, so that 25 gives 53. What "
                                "does 16 give?",
                                "16*2+3=35", "35")),
            AsdivObstacle::kTied);
  EXPECT_EQ(obstacle_of(made_up("Each of the 4 girls plays 2 games with every other girl. How many "
                                "games is that?",
                                "4*(1+2)=12", "12")),
            AsdivObstacle::kTied);
  EXPECT_EQ(obstacle_of(made_up("A worm climbs 7 inches up a wall of 24 inches and slides back 2 "
                                "each day. After how many days is it up?",
                                "24/(7-2)=4 r4", "4")),
            AsdivObstacle::kTied);
  EXPECT_EQ(obstacle_of(made_up("43 people take rooms for 5 and for 3. How many rooms for 5 can be "
                                "full?",
                                "43/5=8 r3", "8")),
            AsdivObstacle::kTied);
}

TEST(Augment, WhatThePlotFixesStays) {
  RedrawCounts redraws;
  AsdivObstacle obstacle{};
  const auto copies = [&](const AsdivProblem& problem) {
    const auto made = augment_problem(problem, {.seed = 3, .copies = 20}, redraws, obstacle);
    EXPECT_EQ(made.size(), 20u) << problem.text;
    return made;
  };
  for (const auto& copy : copies(made_up("Ann, Bob and Cem are three friends. Ann has 5 nuts, Bob "
                                         "has 12 and Cem has three. How many have they?",
                                         "5+12+3=20", "20"))) {
    EXPECT_THAT(copy.question, HasSubstr("are three friends"));
  }
  for (const auto& copy : copies(made_up("In 3 hours 40, 20 and 30 cars passed. What is the mean?",
                                         "(40+20+30)/3=30", "30"))) {
    EXPECT_THAT(copy.question, HasSubstr("In 3 hours"));
  }
  for (const auto& copy :
       copies(made_up("A bee has 6 legs. How many have 15 bees?", "6*15=90", "90"))) {
    EXPECT_THAT(copy.question, HasSubstr("6 legs"));
  }
  for (const auto& copy :
       copies(made_up("Of a book of 95 pages Eli read 37, then 25 more. How many "
                      "has he read?",
                      "37+25=62", "62"))) {
    EXPECT_THAT(copy.question, HasSubstr("95 pages"));
    EXPECT_LT(std::stoi(copy.answer), 95);
  }
}

TEST(Augment, WhatItWritesIsReadAsATask) {
  const Made made(kSample);
  std::size_t records = 0;
  for (const auto& [name, text] : made.text) {
    if (text.empty()) continue;
    const auto file = made.folder.path() / "out" / name;
    records += read_benchmark("asdiv_aug", file).size();
    EXPECT_EQ(read_benchmark("jsonl", file)[0].type, AnswerType::kNumber);
  }
  EXPECT_EQ(records, made.copies.size());
}

/// ASDiv may not be shipped: $SOFTCOT_ASDIV, else where it lies beside a checkout.
class RealAsdiv : public testing::Test {
 protected:
  void SetUp() override {
    const char* named = std::getenv("SOFTCOT_ASDIV");
    file_ = named != nullptr ? named : SOFTCOT_ASDIV_NEARBY;
    if (!std::filesystem::exists(file_)) {
      GTEST_SKIP() << "no ASDiv.xml: name yours in SOFTCOT_ASDIV (docs/benchmarks.md)";
    }
  }
  std::filesystem::path file_;
};

TEST_F(RealAsdiv, IsReadWhole) {
  const auto records = read_benchmark("asdiv", file_);
  EXPECT_EQ(records.size(), 2305u);
  EXPECT_EQ(std::count_if(records.begin(), records.end(),
                          [](const Record& r) { return r.type == AnswerType::kNumber; }),
            2084);
}

TEST_F(RealAsdiv, IsAugmentedFivefold) {
  const Made made(file_);
  expect_sound(made, file_);
  EXPECT_EQ(made.report.problems, 2305);
  EXPECT_GT(made.report.used, 1200);
  EXPECT_NEAR(static_cast<double>(made.report.test) / static_cast<double>(made.copies.size()), 0.2,
              0.03);
  EXPECT_EQ(made.text, Made(file_).text);
}

}  // namespace
}  // namespace softcot
