#include "model/kv_cache.h"

#include <ATen/Functions.h>
#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "runtime/error.h"

namespace softcot {

KvSegment::KvSegment(std::int64_t layers, std::int64_t kv_heads, std::int64_t head_width,
                     std::int64_t capacity, const at::TensorOptions& options)
    : keys_(at::empty({layers, capacity, kv_heads, head_width}, options)),
      values_(at::empty_like(keys_)),
      capacity_(capacity) {}

KvSegment::KvSegment(const KvSegment& whole, std::int64_t begin, std::int64_t capacity)
    : keys_(whole.keys_), values_(whole.values_), begin_(begin), capacity_(capacity) {}

std::int64_t KvSegment::bytes() const {
  const std::int64_t token = keys_.size(0) * keys_.size(2) * keys_.size(3);
  return 2 * capacity_ * token * static_cast<std::int64_t>(keys_.element_size());
}

at::Tensor KvSegment::keys(std::int64_t layer, std::int64_t tokens) const {
  return keys_.select(0, layer).narrow(0, begin_, tokens);
}

at::Tensor KvSegment::values(std::int64_t layer, std::int64_t tokens) const {
  return values_.select(0, layer).narrow(0, begin_, tokens);
}

void KvSegment::reserve(std::int64_t count) {
  const std::int64_t needed = tokens_ + count;
  if (needed <= capacity_) return;
  if (capacity_ != keys_.size(1)) {
    fail(ExitCode::kInternal, {.what = "a part of a cache segment is full",
                               .expected = fmt::format("at most {} tokens", capacity_),
                               .got = std::to_string(needed)});
  }
  capacity_ = std::max(needed, 2 * capacity_);
  auto shape = keys_.sizes().vec();
  shape[1] = capacity_;
  for (at::Tensor* tensor : {&keys_, &values_}) {
    auto larger = at::empty(shape, tensor->options());
    larger.narrow(1, 0, tokens_).copy_(tensor->narrow(1, 0, tokens_));
    *tensor = larger;
  }
}

void KvSegment::write(std::int64_t layer, const at::Tensor& keys, const at::Tensor& values) {
  keys_.select(0, layer).narrow(0, begin_ + tokens_, keys.size(0)).copy_(keys);
  values_.select(0, layer).narrow(0, begin_ + tokens_, values.size(0)).copy_(values);
}

void KvSegment::append(const KvSegment& other) {
  const std::int64_t count = other.tokens_;
  reserve(count);
  const auto copy = [&](at::Tensor& to, const at::Tensor& from) {
    to.narrow(1, begin_ + tokens_, count).copy_(from.narrow(1, other.begin_, count));
  };
  copy(keys_, other.keys_);
  copy(values_, other.values_);
  advance(count);
}

const float* KvSegment::host_keys(std::int64_t layer) const {
  return keys_.const_data_ptr<float>() + offset(layer);
}

const float* KvSegment::host_values(std::int64_t layer) const {
  return values_.const_data_ptr<float>() + offset(layer);
}

void KvSegment::write_host(std::int64_t layer, const float* keys, const float* values,
                           std::int64_t count, std::int64_t step) {
  const std::int64_t width = keys_.stride(1);
  float* to_keys = keys_.mutable_data_ptr<float>() + offset(layer) + tokens_ * width;
  float* to_values = values_.mutable_data_ptr<float>() + offset(layer) + tokens_ * width;
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
