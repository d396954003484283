// Greedy continuations after a prompt with soft thoughts: the very ids that Transformers gives,
// however many rows are decoded together and whatever the tensor-parallel size.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "evaluation/generation.h"
#include "model/elementwise.h"
#include "model/projection.h"
#include "support/fixtures.h"
#include "support/tensors.h"
#include "support/world.h"

namespace softcot::test {
namespace {

class GreedyParity : public ::testing::TestWithParam<const char*> {};

TEST_P(GreedyParity, ExactIdsBatchedAndOneByOne) {
  const std::string name = GetParam();
  const auto tensors = load_case(fixture_folder() / (name + ".greedy.safetensors"));
  const auto& thoughts = tensors.at("thoughts");
  const auto& expected = tensors.at("generated_ids");
  const Projection projection(tensors.at("projection_weight"),
                              at::zeros({tensors.at("projection_weight").size(0)}));
  std::vector<GenerationRequest> requests;
  for (auto& row : soft_rows(tensors, "", thoughts.size(1))) {
    // The fixture's prompt ends behind the end-of-thought token.
    row.target_begin = row.thought_begin + row.thought_count + 2;
    row.ids.resize(row.target_begin);
    const auto index = static_cast<std::int64_t>(requests.size());
    GenerationRequest request;
    request.prompt = share_prompt(row);
    request.soft = projection.forward(thoughts[index]).detach();
    requests.push_back(request);
  }
  int meshes = 0;
  for (const int tp : tp_sizes(fixture_folder() / name, world().size())) {
    ++meshes;
    const auto groups = ProcessGroups::make(world(), tp);
    const Transformer backbone(fixture_folder() / name, {.device = test_device()}, *groups.tp);
    for (const bool shared : {false, true}) {
      set_reference_elementwise(!shared);  // Then the operators that devices use.
      SoftPromptModel model(backbone, {});
      if (shared)
        model.share_prefix({requests[0].prompt->ids.begin(), requests[0].prompt->ids.begin() + 5});
      for (const std::int64_t in_flight : {1, 3, 4}) {
        SCOPED_TRACE("tp " + std::to_string(tp) + ", " + std::to_string(in_flight) + " in flight");
        GenerationOptions options;
        options.max_new_tokens = expected.size(1);
        options.rows_in_flight = in_flight;
        options.record_steps = shared;
        std::map<std::size_t, Generation> results;
        generate(model, requests, options,
                 [&](std::size_t i, const Generation& result) { results[i] = result; });
        ASSERT_EQ(results.size(), requests.size());
        for (const auto& [i, result] : results) {
          EXPECT_TRUE(
              at::tensor(result.ids, at::kLong).equal(expected[static_cast<std::int64_t>(i)]));
          EXPECT_EQ(result.finish, Finish::kLength);
        }
      }
    }
  }
  set_reference_elementwise(false);
  EXPECT_GT(meshes, 0);
}

// Drawn tokens too are the same whether a prompt was read for one sample or for all of them.
TEST_P(GreedyParity, SamplesOfOneQuestionReadItsPromptOnce) {
  const std::string name = GetParam();
  const auto tensors = load_case(fixture_folder() / (name + ".greedy.safetensors"));
  const auto& thoughts = tensors.at("thoughts");
  const Projection projection(tensors.at("projection_weight"),
                              at::zeros({tensors.at("projection_weight").size(0)}));
  constexpr std::uint64_t kSamples = 8;
  std::vector<GenerationRequest> requests;
  std::int64_t prompt_tokens = 0;
  for (auto& row : soft_rows(tensors, "", thoughts.size(1))) {
    row.target_begin = row.thought_begin + row.thought_count + 2;
    prompt_tokens += row.target_begin;
    GenerationRequest request{.prompt = share_prompt(row), .soft = {}, .seed = 3};
    request.question = requests.size() / kSamples;
    request.soft =
        projection.forward(thoughts[static_cast<std::int64_t>(request.question)]).detach();
    for (request.sample = 0; request.sample < kSamples; ++request.sample) {
      requests.push_back(request);
    }
  }
  for (const int tp : tp_sizes(fixture_folder() / name, world().size())) {
    SCOPED_TRACE("tp " + std::to_string(tp));
    const auto groups = ProcessGroups::make(world(), tp);
    const Transformer backbone(fixture_folder() / name, {.device = test_device()}, *groups.tp);
    const SoftPromptModel model(backbone, {});
    GenerationOptions options;
    options.max_new_tokens = 12;
    options.rows_in_flight = 5;
    options.sampling.temperature = 1.0;
    std::map<std::size_t, std::vector<std::int64_t>> together, alone;
    const auto work =
        generate(model, requests, options,
                 [&](std::size_t i, const Generation& result) { together[i] = result.ids; });
    EXPECT_EQ(work.prompt_tokens, prompt_tokens);
    EXPECT_EQ(work.new_tokens, 12 * static_cast<std::int64_t>(requests.size()));
    for (std::size_t i = 0; i < requests.size(); ++i) {
      generate(model, {requests[i]}, options,
               [&](std::size_t, const Generation& result) { alone[i] = result.ids; });
    }
    EXPECT_EQ(together, alone);
    EXPECT_NE(together[0], together[1]) << "samples differ";
  }
}

TEST_P(GreedyParity, RepetitionPenaltyOverWrittenAndAllTokens) {
  const std::string name = GetParam();
  const auto file = fixture_folder() / (name + ".penalty.safetensors");
  if (!std::filesystem::exists(file)) GTEST_SKIP() << "no " << file;
  const auto tensors = load_case(file);
  std::vector<GenerationRequest> requests;
  for (std::int64_t r = 0; r < tensors.at("input_ids").size(0); ++r) {
    const auto mask = tensors.at("attention_mask")[r].to(at::kBool);
    const auto ids = tensors.at("input_ids")[r].masked_select(mask).contiguous();
    const auto* data = ids.const_data_ptr<std::int64_t>();
    SoftRow row{.id = "", .ids = {data, data + ids.numel()}, .target_begin = ids.numel()};
    requests.push_back({.prompt = share_prompt(std::move(row)), .soft = {}});
  }
  // The penalty is stored as float32: 1.2999999.
  const double penalty = std::round(tensors.at("penalty").item<double>() * 1e6) / 1e6;
  for (const int tp : tp_sizes(fixture_folder() / name, world().size())) {
    const auto groups = ProcessGroups::make(world(), tp);
    const Transformer backbone(fixture_folder() / name, {.device = test_device()}, *groups.tp);
    for (const auto& [scope, ids] : {std::pair(RepetitionScope::kWritten, "generated_ids"),
                                     std::pair(RepetitionScope::kAll, "generated_ids_all")}) {
      const auto& expected = tensors.at(ids);
      for (const std::int64_t in_flight : {1, 2, 3}) {
        SCOPED_TRACE(fmt::format("tp {}, {}, {} in flight", tp, ids, in_flight));
        GenerationOptions options;
        options.sampling = {.repetition_penalty = penalty, .repetition_scope = scope};
        options.max_new_tokens = expected.size(1);
        options.rows_in_flight = in_flight;
        options.record_steps = in_flight != 2;
        generate(
            SoftPromptModel(backbone, {}), requests, options,
            [&](std::size_t i, const Generation& result) {
              EXPECT_TRUE(
                  at::tensor(result.ids, at::kLong).equal(expected[static_cast<std::int64_t>(i)]));
            });
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, GreedyParity, ::testing::Values("llama", "qwen2"));

}  // namespace
}  // namespace softcot::test
