// Evaluation gives the same samples however many ranks share it and however often it is killed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "evaluation/sample_log.h"
#include "support/files.h"
#include "support/job.h"
#include "support/thought_caches.h"
#include "support/tiny_model.h"
#include "support/tiny_tokenizer.h"

namespace softcot::test {
namespace {

using ::testing::HasSubstr;

constexpr const char* kMethods[] = {"zero_shot_cot", "softcot"};
const std::vector<std::string> kGreedy = {"--evaluate.batch", "3"};
const std::vector<std::string> kSampled = {
    "--evaluate.batch",   "3", "--evaluate.temperature", "1",
    "--evaluate.samples", "2", "--evaluate.top-p",       "0.95"};

class Evaluate : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    project_ = std::make_unique<TinyProject>();
    project_->precompute();
    const ChildResult trained = run_softcot(project_->call_in("trained", "train"));
    ASSERT_EQ(trained.status, 0) << trained.err;
  }
  static void TearDownTestSuite() { project_.reset(); }

  /// A copy of the trained run.
  static std::string new_run() {
    const std::string run = "run" + std::to_string(++runs_);
    std::filesystem::copy(project_->path("trained"), project_->path(run),
                          std::filesystem::copy_options::recursive);
    return run;
  }

  static std::vector<std::string> evaluate_call(const std::string& run,
                                                std::vector<std::string> options, int tp = 1) {
    options.insert(options.end(), {"--parallel.tp", std::to_string(tp)});
    return project_->call_in(run, "evaluate", options);
  }
  static void evaluate(const std::string& run, const std::vector<std::string>& options, int ranks,
                       int tp = 1) {
    const ChildResult result = run_softcot(evaluate_call(run, options, tp), on_ranks(ranks));
    ASSERT_EQ(result.status, 0) << result.err;
    EXPECT_THAT(result.out, HasSubstr("SoftCoT"));
  }

  static void evaluate_alone(const std::string& run, const std::vector<std::string>& options) {
    const ChildResult result = run_softcot(evaluate_call(run, options), on_ranks(0));
    ASSERT_EQ(result.status, 0) << result.err;
  }

  static std::map<SampleKey, Sample> samples_of(const std::string& run, const std::string& method) {
    std::map<SampleKey, Sample> samples;
    for (const Sample& sample :
         read_samples(project_->path(run) / "samples" / (method + ".jsonl"))) {
      EXPECT_TRUE(
          samples.emplace(SampleKey(sample.question_id, sample.sample_index), sample).second)
          << "twice: " << sample.question_id;
    }
    return samples;
  }

  /// Both runs hold the same samples of all questions; NLL per token within 1e-5.
  static void expect_same(const std::string& got_run, const std::string& expected_run,
                          std::size_t samples_each) {
    double largest = 0;
    for (const char* method : kMethods) {
      const auto expected = samples_of(expected_run, method);
      const auto got = samples_of(got_run, method);
      EXPECT_EQ(expected.size(), TinyProject::kEvalQuestions * samples_each);
      ASSERT_EQ(got.size(), expected.size());
      for (const auto& [key, sample] : expected) {
        ASSERT_TRUE(got.contains(key)) << key.first;
        const Sample& mine = got.at(key);
        EXPECT_EQ(mine.ids, sample.ids) << method << ' ' << key.first;
        EXPECT_EQ(mine.text, sample.text);
        EXPECT_EQ(mine.finish, sample.finish);
        EXPECT_EQ(mine.prompt_hash, sample.prompt_hash);
        EXPECT_EQ(mine.reference, sample.reference);
        ASSERT_EQ(mine.answer_nll.has_value(), sample.answer_nll.has_value());
        EXPECT_EQ(sample.answer_nll.has_value(), key.second == 0);
        if (!sample.answer_nll) continue;
        EXPECT_EQ(mine.target_tokens, sample.target_tokens);
        largest = std::max(largest, std::abs(*mine.answer_nll - *sample.answer_nll) /
                                        static_cast<double>(sample.target_tokens));
      }
    }
    EXPECT_LT(largest, 1e-5);
    std::cout << "NLL per token differs by " << largest << '\n';
    expect_same_results(results_of(got_run), results_of(expected_run));
  }

  static nlohmann::json results_of(const std::string& run) {
    return nlohmann::json::parse(slurp(project_->path(run) / "results.json"));
  }
  static void expect_same_results(const nlohmann::json& got, const nlohmann::json& expected) {
    ASSERT_EQ(got["methods"].size(), 2U);
    for (std::size_t m = 0; m < 2; ++m) {
      const auto& mine = got["methods"][m];
      const auto& other = expected["methods"][m];
      EXPECT_EQ(mine["method"], kMethods[m]);
      EXPECT_EQ(mine["questions"], TinyProject::kEvalQuestions);
      EXPECT_EQ(mine["accuracy"], other["accuracy"]);
      EXPECT_EQ(mine["mean_new_tokens"], other["mean_new_tokens"]);
      EXPECT_NEAR(mine["nll_per_token"]["value"].get<double>(),
                  other["nll_per_token"]["value"].get<double>(), 1e-5);
    }
    EXPECT_EQ(got["model_hashes"], expected["model_hashes"]);
    EXPECT_EQ(got["model_hashes"].size(), 3U) << got["model_hashes"].dump();
  }

  static std::unique_ptr<TinyProject> project_;
  static int runs_;
};

std::unique_ptr<TinyProject> Evaluate::project_;
int Evaluate::runs_ = 0;

TEST_F(Evaluate, AnotherLineSetsNothingAside) {
  const std::string run = new_run();
  evaluate(run, kGreedy, 0);
  const auto folder = project_->path(run);
  const std::string samples = slurp(folder / "samples/softcot.jsonl");
  auto more = kGreedy;
  more.insert(more.end(), {"--evaluate.compat", "strict,lost_sign"});
  evaluate(run, more, 0);
  EXPECT_EQ(slurp(folder / "samples/softcot.jsonl"), samples);
  EXPECT_FALSE(std::filesystem::exists(folder / "set-aside-1"));
}

TEST_F(Evaluate, PartsThatWereSetAsideAreTakenBack) {
  const std::string run = new_run();
  evaluate(run, kGreedy, 0);
  const auto folder = project_->path(run);
  const auto expected = samples_of(run, "softcot");
  std::filesystem::create_directories(folder / "set-aside-1/samples");
  std::filesystem::rename(folder / "samples/softcot.jsonl",
                          folder / "set-aside-1/samples/softcot.part-0.jsonl");
  const ChildResult result = run_softcot(evaluate_call(run, kGreedy), on_ranks(0));
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("reusing"));
  EXPECT_EQ(samples_of(run, "softcot").size(), expected.size());
}

TEST_F(Evaluate, TrainingShowsInTheTable) {
  const std::string run = new_run();
  evaluate(run, kGreedy, 0);
  const auto results = results_of(run);
  const double plain = results["methods"][0]["nll_per_token"]["value"];
  const double soft = results["methods"][1]["nll_per_token"]["value"];
  EXPECT_LT(soft, plain);
  std::cout << "NLL per token " << plain << " without, " << soft << " with soft thoughts\n";
}

TEST_F(Evaluate, RanksShareTheQuestionsGreedily) {
  const std::string alone = new_run();
  evaluate(alone, kGreedy, 0);
  for (const auto& [ranks, tp] : {std::pair(2, 1), std::pair(3, 1), std::pair(2, 2)}) {
    SCOPED_TRACE(std::to_string(ranks) + " ranks, tp " + std::to_string(tp));
    const std::string run = new_run();
    evaluate(run, kGreedy, ranks, tp);
    expect_same(run, alone, 1);
  }
}

TEST_F(Evaluate, RanksDrawTheSameSamples) {
  const std::string alone = new_run();
  evaluate(alone, kSampled, 0);
  for (const int ranks : {2, 3}) {
    SCOPED_TRACE(std::to_string(ranks) + " ranks");
    const std::string run = new_run();
    evaluate(run, kSampled, ranks);
    expect_same(run, alone, 2);
  }
  // They are samples: the two of a question differ, and so do those of another seed.
  const auto samples = samples_of(alone, "softcot");
  const auto& [key, first] = *samples.begin();
  EXPECT_NE(first.ids, samples.at({key.first, 1}).ids);
  const std::string other = new_run();
  std::vector<std::string> options = kSampled;
  options.insert(options.end(), {"--evaluate.seed", "7"});
  evaluate(other, options, 0);
  EXPECT_NE(samples_of(other, "softcot").at(key).ids, first.ids);
}

TEST_F(Evaluate, KilledAndResumedGivesTheSameSamples) {
  const std::string whole = new_run();
  evaluate(whole, kSampled, 0);
  const auto lines_in = [&](const std::string& run) {
    std::size_t lines = 0;
    const auto samples = project_->path(run) / "samples";
    if (!std::filesystem::exists(samples)) return lines;  // It has not come so far.
    for (const auto& entry : std::filesystem::directory_iterator(samples)) {
      lines += lines_with(slurp(entry.path()), "question_id").size();
    }
    return lines;
  };
  // One after the other on 1, 2 and 3 ranks, each killed when so many samples are there.
  const std::string run = new_run();
  std::size_t kept = 0;
  for (const auto& [ranks, until] : {std::pair(0, 4U), std::pair(2, 12U), std::pair(3, 24U)}) {
    Job job(evaluate_call(run, kSampled), on_ranks(ranks));
    ASSERT_TRUE(wait_until([&] { return lines_in(run) >= until || !job.running(); }));
    job.kill_all();
    EXPECT_FALSE(std::filesystem::exists(project_->path(run) / "results.json"));
    EXPECT_GE(lines_in(run), kept);
    kept = lines_in(run);
  }
  evaluate(run, kSampled, 2);
  expect_same(run, whole, 2);
  EXPECT_EQ(names_below(project_->path(run) / "samples").size(), 2U) << "parts are left";
  std::cout << kept << " samples were kept over three kills\n";
}

TEST_F(Evaluate, AFinishedEvaluationIsNotDoneAgain) {
  const std::string run = new_run();
  evaluate(run, kGreedy, 0);
  const auto before = slurp(project_->path(run) / "samples" / "softcot.jsonl");
  evaluate(run, kGreedy, 2);
  EXPECT_EQ(slurp(project_->path(run) / "samples" / "softcot.jsonl"), before);
}

TEST_F(Evaluate, SamplesAskedForLaterJoinThoseThatAreThere) {
  const auto options = [](const std::string& samples) {
    return std::vector<std::string>{"--evaluate.temperature", "1", "--evaluate.samples", samples};
  };
  const auto prompt_tokens = [](const ChildResult& result) {
    const auto lines = lines_with(result.err, "prompt tokens of");
    EXPECT_EQ(lines.size(), 2U) << result.err;
    std::vector<std::string> counts;
    for (const std::string& line : lines) {
      const auto begin = line.find("read ");
      counts.push_back(line.substr(begin, line.find(" questions") - begin));
    }
    return counts;
  };
  const auto run_on = [&](const std::string& run, const std::string& samples) {
    ChildResult result = run_softcot(evaluate_call(run, options(samples)), on_ranks(0));
    EXPECT_EQ(result.status, 0) << result.err;
    return result;
  };
  const std::string whole = new_run();
  const std::string grown = new_run();
  const auto all_at_once = prompt_tokens(run_on(whole, "4"));
  EXPECT_EQ(prompt_tokens(run_on(grown, "1")), all_at_once) << "four samples read prompts once";
  EXPECT_EQ(prompt_tokens(run_on(grown, "4")), all_at_once) << "and so do the three that lack";
  expect_same(grown, whole, 4);
}

TEST_F(Evaluate, FewerSamplesThanThereAreCountAlone) {
  const auto drawn = [](const std::string& run, const char* seeds, const char* samples) {
    evaluate_alone(run, {"--evaluate.temperature", "1", "--evaluate.methods", "zero_shot_cot",
                         "--evaluate.seeds", seeds, "--evaluate.samples", samples});
    return slurp(project_->path(run) / "results.csv");
  };
  const std::string run = new_run();
  const std::string many = drawn(run, "3", "2");
  const std::string few = drawn(run, "2", "2");
  EXPECT_NE(few, many);
  EXPECT_EQ(few, drawn(new_run(), "2", "2"));
}

TEST_F(Evaluate, ReferenceScoringStandsBesideStrict) {
  const std::string run = new_run();
  evaluate(run, {"--evaluate.compat", "strict,reference", "--evaluate.temperature", "1"}, 2);
  const auto results = results_of(run);
  ASSERT_EQ(results["methods"].size(), 4U);
  EXPECT_EQ(results["methods"][3]["title"], "SoftCoT (reference scoring)");
  EXPECT_EQ(results["methods"][3]["compat"].size(), 6U);
  EXPECT_EQ(results["methods"][3]["baseline"], "zero_shot_cot-reference");
  EXPECT_FALSE(results["methods"][1].contains("compat"));
  // The same likelihood, since targets follow the opened turn, but other prompts and samples.
  const auto strict = samples_of(run, "softcot");
  const auto reference = samples_of(run, "softcot-reference");
  ASSERT_EQ(strict.size(), reference.size());
  for (const auto& [key, sample] : strict) {
    EXPECT_NE(reference.at(key).prompt_hash, sample.prompt_hash);
    EXPECT_EQ(*reference.at(key).answer_nll, *sample.answer_nll);
  }
}

TEST_F(Evaluate, PromptsWithoutTheTurnsOpening) {
  const auto prompt_of = [](const std::string& run, const std::string& method) {
    std::ifstream file(project_->path(run) / "prompts" / (method + ".jsonl"));
    std::string line;
    std::getline(file, line);
    const auto json = nlohmann::json::parse(line);
    const Sample sample = samples_of(run, method).at({json["question_id"], 0});
    EXPECT_EQ(json["prompt_hash"], sample.prompt_hash) << "what is shown is what was read";
    return json.at("prompt").get<std::string>();
  };
  std::ifstream file(project_->path("eval.jsonl"));
  std::string first;
  std::getline(file, first);
  const std::string question = nlohmann::json::parse(first)["question"];
  const std::string quirk = "-no_generation_prompt";
  const std::vector<std::string> both = {"--evaluate.compat", "strict,no_generation_prompt"};

  const std::string run = new_run();
  evaluate(run, both, 0);
  const std::string smollm2 =
      "⟦<|im_start|>⟧system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face"
      "⟦<|im_end|>⟧\n⟦<|im_start|>⟧user\nSolve: " +
      question;
  const std::string notes = "\nHere are notes:⟦<issue_start>⟧⟦<|endoftext|> ×4⟧⟦<issue_closed>⟧";
  for (const auto& [method, body] : {std::pair<std::string, std::string>{"zero_shot_cot", smollm2},
                                     {"softcot", smollm2 + notes}}) {
    EXPECT_EQ(prompt_of(run, method + quirk), body + "⟦<|im_end|>⟧\n");
    EXPECT_EQ(prompt_of(run, method), body + "⟦<|im_end|>⟧\n⟦<|im_start|>⟧assistant\n");
  }

  struct Other {
    std::string name;
    std::vector<std::string> specials;
    std::string prompt;
    std::string opening;
  };
  const std::vector<Other> others = {
      {"qwen2",
       {"<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|box_start|>", "<|box_end|>"},
       "⟦<|im_start|>⟧system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant."
       "⟦<|im_end|>⟧\n⟦<|im_start|>⟧user\nSolve: " +
           question + "⟦<|im_end|>⟧\n",
       "⟦<|im_start|>⟧assistant\n"},
      {"llama",
       {"<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>",
        "<|eot_id|>", "<|reserved_special_token_0|>", "<|reserved_special_token_1|>"},
       "⟦<|begin_of_text|>⟧⟦<|start_header_id|>⟧system⟦<|end_header_id|>⟧\n\nCutting Knowledge "
       "Date: "
       "December 2023\nToday Date: 26 Jul 2024\n\n⟦<|eot_id|>⟧⟦<|start_header_id|>⟧user"
       "⟦<|end_header_id|>⟧\n\nSolve: " +
           question + "⟦<|eot_id|>⟧",
       "⟦<|start_header_id|>⟧assistant⟦<|end_header_id|>⟧\n\n"}};
  for (const Other& other : others) {
    SCOPED_TRACE(other.name);
    const auto model = project_->path("family-" + other.name);
    make_tiny_model(model, other.name);
    write_text(model / "tokenizer.json", tiny_tokenizer_json(other.specials).dump());
    std::vector<std::string> options = both;
    options.insert(options.end(), {"--model", model, "--evaluate.methods", "zero_shot_cot"});
    evaluate_alone("of-" + other.name, options);
    EXPECT_EQ(prompt_of("of-" + other.name, "zero_shot_cot" + quirk), other.prompt);
    EXPECT_EQ(prompt_of("of-" + other.name, "zero_shot_cot"), other.prompt + other.opening);
  }
}

TEST_F(Evaluate, OneNoiseStreamForAllQuestions) {
  // One question three times: only its place in the file tells the lines apart.
  std::ifstream file(project_->path("eval.jsonl"));
  std::string line;
  std::getline(file, line);
  spill(project_->path("thrice.jsonl"), line + "\n" + line + "\n" + line + "\n");
  const auto texts = [&](const std::string& compat) {
    const std::string run = new_run();
    evaluate_alone(run,
                   {"--data.eval-file", project_->path("thrice.jsonl"), "--evaluate.methods",
                    "zero_shot_cot", "--evaluate.temperature", "1", "--evaluate.compat", compat});
    std::set<std::vector<std::int64_t>> different;
    const std::string suffix = compat == "strict" ? "" : "-" + compat;
    for (const auto& [key, sample] : samples_of(run, "zero_shot_cot" + suffix)) {
      different.insert(sample.ids);
    }
    return different.size();
  };
  EXPECT_GT(texts("strict"), 1U);
  EXPECT_GT(texts("lost_sign"), 1U);
  EXPECT_EQ(texts("one_noise_stream"), 1U);
}

TEST_F(Evaluate, AnotherTaskGetsAFolderOfItsOwn) {
  const std::string run = new_run();
  evaluate(run, kGreedy, 0);
  const auto before = slurp(project_->path(run) / "results.json");
  const auto config = slurp(project_->path(run) / "evaluate.cfg");
  spill(project_->path("own.jsonl"),
        "{\"question\": \"What is 3 + 4?\", \"rationale\": [\"3 + 4 = 7\"], \"answer\": \"7\", "
        "\"type\": \"number\"}\n");
  const std::vector<std::string> other = {
      "--data.task", "jsonl", "--data.eval-file", project_->path("own.jsonl"), "--data.file", ""};
  const ChildResult made = run_softcot(project_->call("precompute", other));
  ASSERT_EQ(made.status, 0) << made.err;
  for (int again = 0; again < 2; ++again) {
    const ChildResult result = run_softcot(project_->call_in(run, "evaluate", other), on_ranks(2));
    ASSERT_EQ(result.status, 0) << result.err;
    EXPECT_THAT(result.out, HasSubstr("Transfer: trained on gsm8k, evaluated on jsonl."));
  }
  EXPECT_EQ(slurp(project_->path(run) / "results.json"), before);
  EXPECT_EQ(slurp(project_->path(run) / "evaluate.cfg"), config);
  const auto results = results_of(run + "/on-jsonl");
  EXPECT_EQ(results["task"], "jsonl");
  EXPECT_EQ(results["trained_on"], "gsm8k");
  EXPECT_EQ(results["methods"][1]["questions"], 1);
  EXPECT_EQ(results_of(run)["trained_on"], "gsm8k");
}

TEST_F(Evaluate, VectorsThatWereTrainedTogetherAreCutWithAWarningOnly) {
  const std::string run = "vectors";
  const ChildResult trained = run_softcot(
      project_->call_in(run, "train", {"--method", "prompt_tuning", "--train.steps", "2"}));
  ASSERT_EQ(trained.status, 0) << trained.err;
  const auto warning = [&](const std::vector<std::string>& more, int ranks) {
    std::vector<std::string> options = {"--evaluate.methods", "zero_shot_cot,prompt_tuning",
                                        "--evaluate.compat", "strict,reference"};
    options.insert(options.end(), more.begin(), more.end());
    std::filesystem::remove_all(project_->path(run) / "samples");
    const ChildResult result = run_softcot(evaluate_call(run, options), on_ranks(ranks));
    EXPECT_EQ(result.status, 0) << result.err;
    return lines_with(result.err, "vectors that were trained together").size();
  };
  EXPECT_EQ(warning({}, 0), 0U);
  EXPECT_EQ(warning({"--thoughts.eval-count", "1"}, 2), 1U) << "once, by one rank";
}

TEST_F(Evaluate, TrainingQuirksAreAnotherRun) {
  const auto train = [](const std::string& compat, const std::string& more) {
    std::vector<std::string> call =
        project_->call_in("quirks", "train", {"--train.compat", compat, "--train.steps", "4"});
    if (!more.empty()) call.push_back(more);
    return call;
  };
  const ChildResult trained = run_softcot(train("answer_line_is_step", ""));
  ASSERT_EQ(trained.status, 0) << trained.err;
  expect_refused(train("strict", "--run.resume"), 5, {"compat"});
  expect_refused(train("strict,reference", ""), 2, {"train.compat"});
  // The prompts are the same and the targets are not.
  const auto targets = [](const std::string& run) {
    const auto first = lines_with(slurp(project_->path(run) / "metrics.jsonl"), "\"step\":1,");
    EXPECT_EQ(first.size(), 1U) << run;
    return nlohmann::json::parse(first.at(0)).at("targets").get<std::int64_t>();
  };
  EXPECT_GT(targets("quirks"), targets("trained"));
}

}  // namespace
}  // namespace softcot::test
