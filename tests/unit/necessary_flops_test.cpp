// The count of necessary operations, against one that goes through every product and every pair.
#include "launch/bench/necessary_flops.h"

#include <gtest/gtest.h>

#include <vector>

namespace softcot {
namespace {

ModelConfig small_model() {
  ModelConfig model;
  model.vocabulary = 50;
  model.hidden = 12;
  model.feed_forward = 20;
  model.layers = 3;
  model.query_heads = 4;
  model.kv_heads = 2;
  model.head_width = 3;
  return model;
}

Row row_of(std::int64_t tokens, std::int64_t thought_begin, std::int64_t target_begin) {
  Row row;
  row.ids.resize(static_cast<std::size_t>(tokens));
  row.thoughts = {thought_begin, 2};
  row.target_begin = target_begin;
  return row;
}

/// What is computed of position t in layer l, one by one.
struct Counter {
  const ModelConfig model = small_model();
  const std::int64_t query = model.query_heads * model.head_width;
  const std::int64_t key_value = model.kv_heads * model.head_width;
  double flops = 0;

  void product(std::int64_t inputs, std::int64_t outputs, int times) {
    flops += 2.0 * static_cast<double>(inputs * outputs) * times;
  }
  void keys_and_values(int times) { product(model.hidden, 2 * key_value, times); }
  void rest(int times) {
    product(model.hidden, query, times);
    product(query, model.hidden, times);
    product(model.hidden, 2 * model.feed_forward, times);
    product(model.feed_forward, model.hidden, times);
  }
  void dot_of_heads(int times) { flops += 2.0 * static_cast<double>(query) * times; }
};

TEST(NecessaryFlops, OfATrainingStepAreThoseOfEachPositionThatChangesTheGradient) {
  const std::int64_t shared = 3;
  const std::vector<Row> rows = {row_of(14, 6, 9), row_of(11, 4, 8)};
  Counter counter;
  const std::int64_t last = counter.model.layers - 1;
  for (const Row& row : rows) {
    for (std::int64_t l = 0; l <= last; ++l) {
      for (std::int64_t t = shared; t + 1 < row.length(); ++t) {
        const bool trained = t >= row.thoughts.begin;
        const bool state_wanted = l < last || t + 1 >= row.target_begin;
        counter.keys_and_values(trained ? 2 : 1);
        if (!state_wanted) continue;
        counter.rest(trained ? 2 : 1);
        for (std::int64_t seen = 0; seen <= t; ++seen) {
          // Scores and values; backward the gradients of probabilities and queries; of keys and
          // values where those depend on the thoughts.
          counter.dot_of_heads(!trained ? 2 : seen < row.thoughts.begin ? 4 : 6);
        }
      }
    }
    for (std::int64_t t = row.target_begin; t < row.length(); ++t) {
      counter.product(counter.model.hidden, counter.model.vocabulary, 2);
    }
  }
  EXPECT_DOUBLE_EQ(necessary_train_flops(counter.model, shared, rows), counter.flops);
}

TEST(NecessaryFlops, OfPrecomputeEndWithTheStatesAtThePlaceholders) {
  const std::int64_t shared = 2;
  const std::vector<Row> rows = {row_of(9, 7, 9), row_of(6, 4, 6)};
  Counter counter;
  const std::int64_t last = counter.model.layers - 1;
  for (const Row& row : rows) {
    for (std::int64_t l = 0; l <= last; ++l) {
      for (std::int64_t t = shared; t < row.length(); ++t) {
        counter.keys_and_values(1);
        if (l == last && t < row.thoughts.begin) continue;
        counter.rest(1);
        for (std::int64_t seen = 0; seen <= t; ++seen) counter.dot_of_heads(2);
      }
    }
  }
  EXPECT_DOUBLE_EQ(necessary_precompute_flops(counter.model, shared, rows), counter.flops);
}

}  // namespace
}  // namespace softcot
