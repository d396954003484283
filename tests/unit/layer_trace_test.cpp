// Where the traces of frozen layers lie: one block for all of a pass, used again by the next.
#include "model/layer_trace.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "support/tensors.h"

namespace softcot::test {
namespace {

constexpr std::int64_t kHidden = 24, kFeedForward = 40;

const AttentionShape& shape() {
  static const AttentionShape shape = [] {
    ModelConfig config;
    config.query_heads = 4;
    config.kv_heads = 2;
    return AttentionShape(ShardPlan(config, 0, 1), 6, at::kCPU);
  }();
  return shape;
}

std::vector<DecoderLayer> layers(at::ScalarType dtype) {
  const auto weight = [&](std::int64_t outputs, std::int64_t inputs) {
    return LinearWeights{at::zeros({outputs, inputs}, dtype), {}, {}};
  };
  const DecoderLayer layer{at::ones({kHidden}),
                           weight(48, kHidden),
                           weight(kHidden, 24),
                           at::ones({kHidden}),
                           weight(2 * kFeedForward, kHidden),
                           weight(kHidden, kFeedForward)};
  return {layer, layer, layer};
}

std::vector<at::Tensor> tensors(const std::vector<LayerTrace>& traces) {
  std::vector<at::Tensor> all;
  for (const LayerTrace& trace : traces) {
    all.insert(all.end(),
               {trace.attention_in, trace.attention_scale, trace.qkv, trace.attended, trace.mass,
                trace.feed_forward_in, trace.feed_forward_scale, trace.gate_up});
  }
  return all;
}

TEST(TraceMemory, GivesEveryTensorRoomOfItsOwn) {
  TraceMemory memory;
  const auto traces = memory.take(layers(at::kFloat), shape(), 7);
  ASSERT_EQ(traces.size(), 3U);
  EXPECT_EQ(traces[1].qkv.sizes(), (at::IntArrayRef{7, 48}));
  EXPECT_EQ(traces[1].attended.sizes(), (at::IntArrayRef{7, 24}));
  EXPECT_EQ(traces[1].mass.sizes(), (at::IntArrayRef{7, 4}));
  EXPECT_EQ(traces[1].gate_up.sizes(), (at::IntArrayRef{7, 2 * kFeedForward}));
  auto all = tensors(traces);
  std::vector<std::pair<std::uintptr_t, std::uintptr_t>> places;
  for (at::Tensor& each : all) {
    const auto begin = reinterpret_cast<std::uintptr_t>(each.mutable_data_ptr());
    EXPECT_EQ(begin % 64, 0U);
    EXPECT_TRUE(each.is_contiguous());
    places.emplace_back(begin, begin + each.nbytes());
  }
  std::sort(places.begin(), places.end());
  for (std::size_t i = 1; i < places.size(); ++i) EXPECT_LE(places[i - 1].second, places[i].first);
}

TEST(TraceMemory, IsUsedAgainOnceNoTraceLiesThere) {
  TraceMemory memory;
  auto traces = memory.take(layers(at::kFloat), shape(), 50);
  const void* first = traces[0].attention_in.const_data_ptr();
  traces.clear();
  EXPECT_EQ(memory.take(layers(at::kFloat), shape(), 20)[0].attention_in.const_data_ptr(), first);
  EXPECT_EQ(memory.take(layers(at::kFloat), shape(), 50)[0].attention_in.const_data_ptr(), first);
}

TEST(TraceMemory, LeavesTracesThatAreInUseAlone) {
  TraceMemory memory;
  auto outer = memory.take(layers(at::kFloat), shape(), 20);
  for (at::Tensor& each : tensors(outer)) each.fill_(3);
  for (const std::int64_t tokens : {10, 400}) {
    auto inner = memory.take(layers(at::kFloat), shape(), tokens);
    for (at::Tensor& each : tensors(inner)) each.fill_(5);
  }
  for (const at::Tensor& each : tensors(outer)) EXPECT_TRUE(each.eq(3).all().item<bool>());
  // One tensor of a trace is enough to hold its block.
  const at::Tensor last = outer.back().gate_up;
  outer.clear();
  EXPECT_NE(memory.take(layers(at::kFloat), shape(), 1)[0].attention_in.storage().data(),
            last.storage().data());
}

}  // namespace
}  // namespace softcot::test
