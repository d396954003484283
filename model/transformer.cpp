#include "model/transformer.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <algorithm>
#include <array>
#include <numeric>

#include "model/elementwise.h"
#include "model/frozen_layers.h"
#include "model/host_pass.h"
#include "model/tensor_parallel.h"
#include "model/weights.h"
#include "runtime/error.h"
#include "runtime/host_pool.h"
#include "runtime/to_device.h"

namespace softcot {
namespace {

// The matrices that each product of a layer is stacked from.
constexpr std::array kQueryKeyValue = {LoraTarget::kQuery, LoraTarget::kKey, LoraTarget::kValue};
constexpr std::array kOutput = {LoraTarget::kOutput};
constexpr std::array kGateUp = {LoraTarget::kGate, LoraTarget::kUp};
constexpr std::array kDown = {LoraTarget::kDown};

ModelConfig first_layers(ModelConfig config, std::int64_t layers,
                         const std::filesystem::path& folder) {
  if (layers == 0) return config;
  if (layers < 0 || layers > config.layers) {
    fail(ExitCode::kUsage, {.what = "more layers than the model has",
                            .where = folder.string(),
                            .expected = "1 to " + std::to_string(config.layers),
                            .got = std::to_string(layers),
                            .fix = "lower the option layers of this model; 0 takes all"});
  }
  config.layers = layers;
  return config;
}

std::int64_t bytes_of(const at::Tensor& tensor) {
  return tensor.defined() ? static_cast<std::int64_t>(tensor.nbytes()) : 0;
}

}  // namespace

Transformer::Transformer(const std::filesystem::path& folder, const LoadOptions& options,
                         Communicator& tp)
    : config_(first_layers(read_model_config(folder), options.layers, folder)),
      dtype_(options.dtype),
      device_(options.device),
      tp_(tp),
      plan_(config_, tp.rank(), tp.size()),
      attention_(plan_, config_.head_width, device_),
      rope_(config_.rope, config_.head_width),
      parameters_(parameter_count(config_)) {
  empty_host_pool();
  WeightReader weights(folder, config_, plan_, dtype_, device_);
  const std::string attention = "model.layers.{}.self_attn.";
  const std::string feed_forward = "model.layers.{}.mlp.";
  embedding_ = weights.read("model.embed_tokens.weight");
  head_ = config_.tied_head ? embedding_ : weights.read("lm_head.weight");
  final_norm_ = weights.read_vector("model.norm.weight");
  for (std::int64_t i = 0; i < config_.layers; ++i) {
    DecoderLayer layer;
    layer.attention_norm = weights.read_vector("model.layers.{}.input_layernorm.weight", i);
    layer.qkv.weight = weights.read_stacked(
        {attention + "q_proj.weight", attention + "k_proj.weight", attention + "v_proj.weight"}, i);
    if (config_.qkv_bias) {
      layer.qkv.bias = weights.read_stacked_vectors(
          {attention + "q_proj.bias", attention + "k_proj.bias", attention + "v_proj.bias"}, i);
    }
    layer.attention_out.weight = weights.read(attention + "o_proj.weight", i);
    layer.feed_forward_norm =
        weights.read_vector("model.layers.{}.post_attention_layernorm.weight", i);
    layer.gate_up.weight = weights.read_stacked(
        {feed_forward + "gate_proj.weight", feed_forward + "up_proj.weight"}, i);
    layer.down.weight = weights.read(feed_forward + "down_proj.weight", i);
    layers_.push_back(std::move(layer));
  }
}

at::ScalarType Transformer::activation_dtype() const {
  return device_.is_cpu() ? at::kFloat : dtype_;
}

std::int64_t Transformer::weight_bytes() const {
  std::int64_t total = bytes_of(embedding_) + bytes_of(final_norm_);
  if (!config_.tied_head) total += bytes_of(head_);
  for (const auto& layer : layers_) {
    for (const auto* tensor :
         {&layer.attention_norm, &layer.qkv.weight, &layer.qkv.bias, &layer.attention_out.weight,
          &layer.feed_forward_norm, &layer.gate_up.weight, &layer.down.weight}) {
      total += bytes_of(*tensor);
    }
  }
  return total;
}

at::Tensor Transformer::embed(const at::Tensor& ids) const {
  return embedding_lookup(ids, embedding_, plan_.range(Dim::kVocabulary), activation_dtype(), tp_);
}

at::Tensor Transformer::forward(const at::Tensor& inputs, const std::vector<PackedRow>& rows,
                                const Lora* lora) const {
  return rms_norm(run_layers(inputs, rows, lora), final_norm_, config_.norm_epsilon);
}

bool Transformer::decodes_in_place() const {
  return tp_.size() == 1 && DeviceBatch::reads_in_place(device_, activation_dtype(), attention_);
}

at::Tensor Transformer::decode(const at::Tensor& ids, const DeviceBatch::Places& places,
                               const KvSegment& part, std::int64_t longest) const {
  const at::NoGradGuard no_grad;
  rope_.reserve(longest, device_);
  const std::vector<PackedRow> unknown;
  PackedBatch batch{unknown, places.positions, std::nullopt};
  batch.device.emplace(places, part, longest, activation_dtype(), attention_, rope_);
  auto x = embed(ids);
  for (std::int64_t i = 0; i < layers(); ++i) x = run_layer(x, i, batch, nullptr);
  return rms_norm(x, final_norm_, config_.norm_epsilon);
}

void Transformer::fill(const at::Tensor& inputs, const std::vector<PackedRow>& rows,
                       const Lora* lora) const {
  run_layers(inputs, rows, lora);
}

at::Tensor Transformer::run_layers(at::Tensor x, const std::vector<PackedRow>& rows,
                                   const Lora* lora) const {
  const bool grows =
      std::any_of(rows.begin(), rows.end(), [](const auto& r) { return bool(r.own); });
  const at::AutoGradMode differentiable(at::GradMode::is_enabled() && !grows);

  std::vector<std::int64_t> positions;
  std::int64_t last = 0;
  for (const auto& row : rows) {
    const std::int64_t begin = row.position();
    for (std::int64_t t = 0; t < row.tokens; ++t) positions.push_back(begin + t);
    last = std::max(last, begin + row.tokens);
    if (row.own) row.own->reserve(row.tokens);
  }
  if (static_cast<std::int64_t>(positions.size()) != x.size(0)) {
    fail(ExitCode::kInternal, {.what = "packed rows do not add up to the inputs",
                               .expected = std::to_string(x.size(0)) + " tokens",
                               .got = std::to_string(positions.size())});
  }
  rope_.reserve(last, device_);
  const auto where = to_device(positions, device_);
  const bool frozen = !trains_weights() || !at::GradMode::is_enabled();
  PackedBatch batch{rows, where, std::nullopt};
  if (!fuses_on_host(x)) batch.device.emplace(rows, where, x.scalar_type(), attention_, rope_);
  if (lora == nullptr && frozen && HostPass::serves(x, rows)) {
    x = FrozenLayers{layers_, attention_, rope_, config_.norm_epsilon, tp_, traces_}.run(x, rows,
                                                                                         where);
  } else {
    for (std::int64_t i = 0; i < layers(); ++i) x = run_layer(x, i, batch, lora);
  }
  for (const auto& row : rows) {
    if (row.own) row.own->advance(row.tokens);
  }
  return x;
}

at::Tensor Transformer::run_layer(const at::Tensor& x, std::int64_t index, const PackedBatch& batch,
                                  const Lora* lora) const {
  const DecoderLayer& layer = layers_[index];
  const auto product = [&](const at::Tensor& input, const LinearWeights& matrix,
                           std::span<const LoraTarget> stacked) {
    const auto y = linear(input, matrix);
    return lora == nullptr ? y : lora->add(y, input, index, stacked, plan_, batch.rows);
  };
  const auto attention_in =
      copy_to_group(rms_norm(x, layer.attention_norm, config_.norm_epsilon), tp_);
  const auto qkv = product(attention_in, layer.qkv, kQueryKeyValue);
  const auto mixed = packed_attention(qkv, batch, index, attention_, rope_);
  const auto y = x + reduce_from_group(product(mixed, layer.attention_out, kOutput), tp_);

  const auto feed_forward_in =
      copy_to_group(rms_norm(y, layer.feed_forward_norm, config_.norm_epsilon), tp_);
  const auto active = swiglu(product(feed_forward_in, layer.gate_up, kGateUp));
  return y + reduce_from_group(product(active, layer.down, kDown), tp_);
}

void Transformer::merge(const Lora& lora) {
  const at::NoGradGuard no_grad;
  const auto merge_into = [&](LinearWeights& matrix, std::int64_t layer,
                              std::span<const LoraTarget> stacked) {
    std::int64_t row = 0;
    for (const LoraTarget target : stacked) {
      const std::int64_t count = Lora::outputs(target, plan_);
      const auto change = lora.change(layer, target, plan_);
      if (change.defined()) {
        auto part = matrix.weight.narrow(0, row, count);
        part.copy_(part.to(at::kFloat) + change.to(part.device()));
      }
      row += count;
    }
  };
  for (std::int64_t i = 0; i < layers(); ++i) {
    merge_into(layers_[i].qkv, i, kQueryKeyValue);
    merge_into(layers_[i].attention_out, i, kOutput);
    merge_into(layers_[i].gate_up, i, kGateUp);
    merge_into(layers_[i].down, i, kDown);
  }
}

at::Tensor Transformer::logits(const at::Tensor& hidden) const {
  const at::NoGradGuard no_grad;
  auto local = matmul_transposed(hidden, head_).to(at::kFloat);
  if (tp_.size() == 1) return local;
  // Shards differ by one row at most: pad to the largest, gather, drop the padding.
  const std::int64_t widest = even_part(config_.vocabulary, 0, tp_.size()).size();
  auto padded = at::zeros({hidden.size(0), widest}, local.options());
  padded.narrow(1, 0, local.size(1)).copy_(local);
  const auto all = tp_.all_gather(padded.unsqueeze(0));
  std::vector<at::Tensor> parts;
  for (int r = 0; r < tp_.size(); ++r) {
    parts.push_back(
        all.select(0, r).narrow(1, 0, even_part(config_.vocabulary, r, tp_.size()).size()));
  }
  return at::cat(parts, 1);
}

TokenScores Transformer::score(const at::Tensor& hidden, const at::Tensor& targets) const {
  return score_targets(hidden, targets, {head_, plan_.range(Dim::kVocabulary)}, tp_);
}

NearestTokens Transformer::nearest(const at::Tensor& vectors, std::int64_t count) const {
  return nearest_tokens(vectors, count, {embedding_, plan_.range(Dim::kVocabulary)}, tp_);
}

SharedSegment Transformer::new_segment(std::int64_t capacity) const {
  return std::make_shared<KvSegment>(layers(), plan_.kv_heads(), config_.head_width,
                                     std::max<std::int64_t>(1, capacity),
                                     at::TensorOptions(activation_dtype()).device(device_));
}

std::vector<SharedSegment> Transformer::new_segments(
    const std::vector<std::int64_t>& capacities) const {
  std::vector<SharedSegment> segments;
  if (device_.is_cpu()) {
    for (const auto capacity : capacities) segments.push_back(new_segment(capacity));
    return segments;
  }
  const auto whole =
      new_segment(std::accumulate(capacities.begin(), capacities.end(), std::int64_t{0}));
  std::int64_t begin = 0;
  for (const auto capacity : capacities) {
    segments.push_back(std::make_shared<KvSegment>(*whole, begin, capacity));
    begin += capacity;
  }
  return segments;
}

}  // namespace softcot
