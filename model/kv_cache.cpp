#include "model/kv_cache.h"

#include <algorithm>

namespace softcot {

KvSegment::KvSegment(std::int64_t layers, std::int64_t kv_heads, std::int64_t head_width,
                     std::int64_t capacity, const at::TensorOptions& options)
    : keys_(at::empty({layers, capacity, kv_heads, head_width}, options)),
      values_(at::empty_like(keys_)) {}

std::int64_t KvSegment::bytes() const {
  return 2 * keys_.numel() * static_cast<std::int64_t>(keys_.element_size());
}

at::Tensor KvSegment::keys(std::int64_t layer, std::int64_t tokens) const {
  return keys_.select(0, layer).narrow(0, 0, tokens);
}

at::Tensor KvSegment::values(std::int64_t layer, std::int64_t tokens) const {
  return values_.select(0, layer).narrow(0, 0, tokens);
}

void KvSegment::reserve(std::int64_t count) {
  const std::int64_t needed = tokens_ + count;
  if (needed <= keys_.size(1)) return;
  auto shape = keys_.sizes().vec();
  shape[1] = std::max(needed, 2 * shape[1]);
  for (at::Tensor* tensor : {&keys_, &values_}) {
    auto larger = at::empty(shape, tensor->options());
    larger.narrow(1, 0, tokens_).copy_(tensor->narrow(1, 0, tokens_));
    *tensor = larger;
  }
}

void KvSegment::write(std::int64_t layer, const at::Tensor& keys, const at::Tensor& values) {
  keys_.select(0, layer).narrow(0, tokens_, keys.size(0)).copy_(keys);
  values_.select(0, layer).narrow(0, tokens_, values.size(0)).copy_(values);
}

at::Tensor KvSegment::next_keys(std::int64_t layer) const {
  return keys_.select(0, layer).select(0, tokens_).view({-1});
}

at::Tensor KvSegment::next_values(std::int64_t layer) const {
  return values_.select(0, layer).select(0, tokens_).view({-1});
}

const float* KvSegment::host_keys(std::int64_t layer) const {
  return keys_.const_data_ptr<float>() + layer_offset(layer);
}

const float* KvSegment::host_values(std::int64_t layer) const {
  return values_.const_data_ptr<float>() + layer_offset(layer);
}

void KvSegment::write_host(std::int64_t layer, const float* keys, const float* values,
                           std::int64_t count, std::int64_t step) {
  const std::int64_t width = keys_.stride(1);
  float* to_keys = keys_.mutable_data_ptr<float>() + layer_offset(layer) + tokens_ * width;
  float* to_values = values_.mutable_data_ptr<float>() + layer_offset(layer) + tokens_ * width;
  for (std::int64_t t = 0; t < count; ++t) {
    std::copy_n(keys + t * step, width, to_keys + t * width);
    std::copy_n(values + t * step, width, to_values + t * width);
  }
}

std::int64_t PackedRow::position() const {
  std::int64_t at = own ? own->tokens() : 0;
  for (const auto& segment : past) at += segment->tokens();
  return at;
}

}  // namespace softcot
