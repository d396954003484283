// The cost model of `softcot plan` against numbers computed by hand, and the choice it makes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "launch/plan/choice.h"
#include "model/compiled_products.h"
#include "model/known_models.h"
#include "runtime/error.h"

namespace softcot::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

ModelConfig config_of(const std::string& name) { return find_known_model(name)->config; }

/// SoftCoT with bfloat16 weights on rows of 468 tokens.
Workload workload(const std::string& model, const std::string& method = "softcot") {
  Workload work;
  work.backbone = config_of(model);
  work.assistant_width = 2048;
  work.assistant_vocabulary = 128256;
  work.method = method_of(method);
  work.weight_bytes = work.method.full ? 4 : 2;
  work.rows = typical_rows(468, 835, 174, work.method.placeholders ? 32 : 0);
  work.shared_tokens = 138;
  work.steps = 20;
  return work;
}

Machine gpus(int ranks, int nodes = 1) {
  Machine machine = default_machine(Machine::Device::kGpu, 2);
  machine.ranks = ranks;
  machine.nodes = nodes;
  return machine;
}

struct Count {
  const char* model;
  std::int64_t parameters;
};

/// As the publishers' files count them.
class KnownModels : public ::testing::TestWithParam<Count> {};

TEST_P(KnownModels, HaveTheirParameters) {
  EXPECT_EQ(parameter_count(config_of(GetParam().model)), GetParam().parameters);
}

INSTANTIATE_TEST_SUITE_P(
    All, KnownModels,
    ::testing::Values(Count{"SmolLM2-135M", 134'515'008}, Count{"SmolLM2-360M", 361'821'120},
                      Count{"SmolLM2-1.7B", 1'711'376'384}, Count{"Llama-3.2-1B", 1'235'814'400},
                      Count{"Llama-3.2-3B", 3'212'749'824}, Count{"Llama-3.1-8B", 8'030'261'248},
                      Count{"Llama-3.1-70B", 70'553'706'496}, Count{"Qwen2.5-0.5B", 494'032'768},
                      Count{"Qwen2.5-1.5B", 1'543'714'304}, Count{"Qwen2.5-3B", 3'085'938'688},
                      Count{"Qwen2.5-7B", 7'615'616'512}, Count{"Qwen2.5-14B", 14'770'033'664},
                      Count{"Qwen2.5-32B", 32'763'876'352}, Count{"Qwen2.5-72B", 72'706'203'648}),
    [](const auto& test) {
      std::string name = test.param.model;
      for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
      return name;
    });

TEST(KnownModelNames, AreFoundByFolderAndInAnyCase) {
  EXPECT_EQ(find_known_model("models/Llama-3.1-8B-Instruct")->name, "Llama-3.1-8B");
  EXPECT_EQ(find_known_model("qwen2.5-0.5b")->name, "Qwen2.5-0.5B");
  EXPECT_FALSE(find_known_model("Llama-3.1-9B"));
}

TEST(PlanMemory, WeightsOfARank) {
  // 8,029,995,008 numbers of matrices over tp in 2 bytes, 65 norms of 4,096 in 4 bytes. From tp 16
  // on, a rank holds a whole KV head: 14,155,776 numbers a layer and 65,667,072 at the ends.
  const Workload work = workload("Llama-3.1-8B");
  const auto weights = [&](int tp) {
    return peak_memory(work, Machine::Device::kGpu, tp, 1, {}).parts.weights;
  };
  EXPECT_EQ(weights(1), 16'059'990'016 + 1'064'960);
  EXPECT_EQ(weights(2), 8'031'059'968);
  EXPECT_EQ(weights(4), 4'016'062'464);
  EXPECT_EQ(weights(8), 2'008'563'712);
  EXPECT_EQ(weights(16), 2 * (32 * std::int64_t{14'155'776} + 65'667'072) + 1'064'960);
}

TEST(PlanMemory, KeysAndValues) {
  EXPECT_EQ(key_value_bytes(config_of("Llama-3.1-8B"), 2), 131'072);
  EXPECT_EQ(key_value_bytes(config_of("Qwen2.5-7B"), 2), 57'344);
  const auto prefix = [](int tp) {
    return peak_memory(workload("Llama-3.1-8B"), Machine::Device::kGpu, tp, 1, {})
        .parts.shared_prefix;
  };
  EXPECT_EQ(prefix(1), 138 * 131'072);
  EXPECT_EQ(prefix(8), 138 * 131'072 / 8);
  EXPECT_EQ(prefix(32), 138 * 131'072 / 8);  // KV heads are not cut further
}

TEST(PlanMemory, ActivationsOfAToken) {
  // SmolLM2-135M on a CPU keeps for a token and layer two norm inputs (2 · 576), attention's output
  // (576), 9 log-sum-exps and two scales, all float32, and queries, keys and values (15 · 64), gate
  // and up (2 · 1536) in the precision of products; at the end the last norm's input and output.
  Workload work = workload("SmolLM2-135M");
  const auto activations = [&](std::int64_t tokens) {
    const Piece piece{.tokens = tokens, .scored = 1000};
    const PeakMemory peak = peak_memory(work, Machine::Device::kCpu, 1, 1, {piece});
    EXPECT_EQ(peak.moment, Moment::kScoring);
    return peak.parts.activations;
  };
  const std::int64_t product = processor_multiplies_bf16() ? 2 : 4;
  EXPECT_EQ(activations(1001) - activations(1000),
            30 * (4 * 1'739 + product * 4'032) + 4 * 2 * 576);
}

TEST(PlanMemory, GapsOfTheHeapStay) {
  // 50 tokens leave four tensors of 50 · 2,304 bytes a layer in the heap, two holes of that size,
  // and smaller ones; 60 tokens have use for the smaller ones alone.
  Workload work = workload("SmolLM2-135M", "lora");
  work.lora_rank = 1;
  work.lora_targets = {"q_proj"};
  const auto gaps = [&](const std::vector<Piece>& pieces) {
    return peak_memory(work, Machine::Device::kCpu, 1, 1, pieces).parts.gaps;
  };
  const Piece small{.tokens = 50, .scored = 1000}, large{.tokens = 60, .scored = 1000};
  const std::int64_t little = 4 * (9 + 2 + 1);  // log-sum-exps, scales, A · x: always in the heap
  EXPECT_EQ(gaps({small, large}), 30 * (50 * (6 * 2'304 + little) - 60 * little));
  EXPECT_EQ(gaps({large}), 0);
  EXPECT_EQ(gaps({small}), 30 * 2 * 50 * 2'304);

  work = workload("SmolLM2-135M");
  EXPECT_EQ(gaps({small, large}), 0);  // Frozen layers keep everything in one block.
}

TEST(PlanMemory, TrainedParts) {
  // Weight, gradient and two moments of 4096 · 2048 + 4096 numbers; moments over the replicas.
  const std::int64_t projection = 4096 * 2048 + 4096;
  const auto trained = [](const Workload& work, int tp, int dp) {
    return peak_memory(work, Machine::Device::kGpu, tp, dp, {Piece{.tokens = 900}}).parts.trained;
  };
  const Workload softcot = workload("Llama-3.1-8B");
  EXPECT_EQ(trained(softcot, 1, 1), 16 * projection);
  EXPECT_EQ(trained(softcot, 2, 4), 8 * projection + 2 * projection);

  Workload lora = workload("Llama-3.1-8B", "lora");
  lora.lora_rank = 16;
  lora.lora_targets = {"q_proj", "v_proj"};
  EXPECT_EQ(trained_sizes(lora, 8).whole, 6'815'744);  // 32 · 16 · (2 · 4096 + 4096 + 1024)

  const Workload full = workload("SmolLM2-135M", "full");
  EXPECT_EQ(trained_sizes(full, 1).elements, 134'515'008);
  EXPECT_EQ(trained_sizes(full, 3).whole, 134'515'008);
}

TEST(PlanPieces, LeaveOutWhatTrainingLeavesOut) {
  const RowShape row{.tokens = 400, .thought_begin = 200, .thoughts = 32, .targets = 150};
  Workload work = workload("SmolLM2-135M");
  Piece piece = make_piece(work, {row, row});
  EXPECT_EQ(piece.frozen_tokens, 2 * (200 - 138));
  EXPECT_EQ(piece.tokens, 2 * (399 - 200));
  EXPECT_EQ(piece.scored, 300);

  work.shared_prefix = work.frozen_prefix = work.target_logits = false;
  piece = make_piece(work, {row});
  EXPECT_EQ(piece.frozen_tokens, 0);
  EXPECT_EQ(piece.tokens, 399);
  EXPECT_EQ(piece.scored, 399);
  EXPECT_EQ(piece.pairs, 399 * 400 / 2);
}

TEST(PlanPieces, GiveEachReplicaItsShare) {
  Workload work = workload("SmolLM2-135M");
  work.batch = 3;
  const auto replicas = StepPieces(work, 4).of_step(0);
  ASSERT_EQ(replicas.size(), 4);
  EXPECT_EQ(std::count_if(replicas.begin(), replicas.end(), [](auto& r) { return r.empty(); }), 1);
}

TEST(PlanPieces, TypicalRowsHaveTheMeanAndTheLongestAskedFor) {
  const auto rows = typical_rows(468, 835, 174, 32);
  double sum = 0;
  for (const RowShape& row : rows) sum += static_cast<double>(row.tokens);
  EXPECT_NEAR(sum / static_cast<double>(rows.size()), 468, 1);
  EXPECT_EQ(rows.back().tokens, 835);
}

TEST(PlanTime, ProductsAndSums) {
  // 6,979,321,856 numbers in the layers' matrices, twice for a multiply and an add, forward and
  // backward; 128,256 · 4,096 in the head.
  const Workload work = workload("Llama-3.1-8B");
  const auto flops = [&](int tp, const Piece& piece) {
    return piece_flops(work, tp, piece).total();
  };
  EXPECT_EQ(flops(1, Piece{.tokens = 100}), 2.0 * 6'979'321'856 * 200);
  EXPECT_EQ(flops(4, Piece{.frozen_tokens = 100}), 2.0 * 6'979'321'856 * 100 / 4);
  EXPECT_EQ(flops(1, Piece{.scored = 10}), 2.0 * 128'256 * 4'096 * 10 * 2);
  // Six hops of 5 µs, and 2 · 7/8 of the bytes.
  EXPECT_NEAR(all_reduce_seconds(gpus(8), 8, true, 256e6), 2 * 0.875 * 256e6 / 370e9 + 30e-6,
              1e-12);
  EXPECT_EQ(all_reduce_seconds(gpus(8), 1, true, 256e6), 0);
}

TEST(PlanTime, OfFewTokensIsThatOfReadingWeights) {
  // One token: 2 bytes of each number of the layers in three passes, and of the head in one.
  const Workload work = workload("Llama-3.1-8B");
  const Piece one{.frozen_tokens = 1, .tokens = 1, .scored = 1};
  const double bytes = 2.0 * (3 * 6'979'321'856 + 128'256 * 4'096);
  EXPECT_NEAR(step_time(work, gpus(1), 1, 1, {{one}}).compute, bytes / 3.35e12, 1e-9);
  // Many tokens before the thoughts do not hide what the other two passes wait for.
  const Piece prompt{.frozen_tokens = 10'000, .tokens = 1, .scored = 1};
  const double frozen = 2.0 * 6'979'321'856 * 10'000 / (0.4 * 989e12);
  EXPECT_NEAR(step_time(work, gpus(1), 1, 1, {{prompt}}).compute,
              frozen + (bytes - 2.0 * 6'979'321'856) / 3.35e12, 1e-9);
}

TEST(PlanTime, IsThatOfTheSlowestReplica) {
  const Workload work = workload("Llama-3.1-8B");
  const Piece small{.tokens = 500}, large{.tokens = 900};
  const auto compute = [&](const std::vector<std::vector<Piece>>& replicas) {
    return step_time(work, gpus(2), 1, 2, replicas).compute;
  };
  EXPECT_EQ(compute({{small}, {large}}), compute({{large}, {large}}));
  EXPECT_LT(compute({{small}, {small}}), compute({{small}, {large}}));
}

TEST(PlanTime, SumsOverNodesCostMore) {
  const Workload work = workload("Llama-3.1-8B");
  const std::vector<std::vector<Piece>> pieces = {{Piece{.tokens = 500}}};
  EXPECT_GT(step_time(work, gpus(8, 4), 8, 1, pieces).tp_sums,
            3 * step_time(work, gpus(8, 1), 8, 1, pieces).tp_sums);
}

TEST(PlanChoice, PrefersReplicasWhereTheModelFits) {
  const Workload work = [] {
    Workload w = workload("Llama-3.1-8B");
    w.batch = 32;
    return w;
  }();
  const auto layouts = plan_layouts(work, gpus(8));
  ASSERT_EQ(layouts.size(), 4);  // 1, 2, 4, 8 of the divisors of 32
  const Choice choice = choose_layout(work, gpus(8), layouts);
  EXPECT_EQ(layouts[choice.index].tp, 1);
  EXPECT_THAT(choice.reason, AllOf(HasSubstr("rows/s"), HasSubstr("sums between tp ranks")));
}

TEST(PlanChoice, NamesWhatTheSecondBestLosesBy) {
  // One row a step: replicas have nothing to do, while ranks that share the model all compute.
  Workload work = workload("Llama-3.1-8B");
  work.batch = 1;
  const auto layouts = plan_layouts(work, gpus(2));
  const Choice choice = choose_layout(work, gpus(2), layouts);
  EXPECT_EQ(layouts[choice.index].tp, 2);
  EXPECT_THAT(choice.reason, HasSubstr("which has 2 replicas for 1 row a step"));
}

TEST(PlanHints, NameWhatEveryLayoutSuffersFrom) {
  Workload work = workload("Llama-3.1-8B");
  work.batch = 8;
  EXPECT_TRUE(plan_hints(work, gpus(8)).empty());
  work.batch = 4;
  work.weight_bytes = 4;
  EXPECT_THAT(plan_hints(work, gpus(8)),
              ::testing::ElementsAre(HasSubstr("--dtype bfloat16"), HasSubstr("--batch")));
}

TEST(PlanChoice, CutsAModelThatDoesNotFit) {
  Workload work = workload("Llama-3.1-70B");
  work.batch = 32;
  const auto layouts = plan_layouts(work, gpus(8));
  const Choice choice = choose_layout(work, gpus(8), layouts);
  EXPECT_GT(layouts[choice.index].tp, 1);
  EXPECT_FALSE(layouts.front().fits);
  EXPECT_THAT(choice.reason, HasSubstr("a smaller tp does not fit"));
}

TEST(PlanChoice, SaysWhatIsMissing) {
  const Workload work = workload("Llama-3.1-70B");
  const auto layouts = plan_layouts(work, gpus(1));
  try {
    choose_layout(work, gpus(1), layouts);
    FAIL() << "70 billion parameters in 80 GB";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kResources);
    EXPECT_THAT(error.problem().got, HasSubstr("too much"));
    EXPECT_THAT(error.problem().fix, AllOf(HasSubstr("more memory"), HasSubstr("such GPUs")));
  }
}

TEST(PlanChoice, FullFineTuningDoesNotShareKvHeads) {
  for (const Layout& layout : plan_layouts(workload("SmolLM2-135M", "full"), gpus(9))) {
    EXPECT_LE(layout.tp, 3);
  }
}

}  // namespace
}  // namespace softcot::test
