#include "trainer/optimizer.h"

#include <ATen/Functions.h>
#include <ATen/core/grad_mode.h>
#include <algorithm>
#include <cmath>
#include <utility>

namespace softcot {
namespace {

/// Elements that travel in one collective (64 MB): few calls for many small tensors, bounded memory
/// for large ones.
constexpr std::int64_t kBucketElements = std::int64_t{1} << 24;

at::Tensor flat(const at::Tensor& tensor) { return tensor.view({-1}); }

/// Sums tensors over the group in place, many in one collective.
void sum_over(Communicator& group, const std::vector<at::Tensor>& tensors) {
  if (group.size() == 1) return;
  for (std::size_t begin = 0; begin < tensors.size();) {
    std::vector<at::Tensor> bucket;
    std::int64_t elements = 0;
    while (begin < tensors.size() &&
           (bucket.empty() || elements + tensors[begin].numel() <= kBucketElements)) {
      elements += tensors[begin].numel();
      bucket.push_back(flat(tensors[begin++]));
    }
    auto sum = at::cat(bucket);
    group.all_reduce(sum, ReduceOp::kSum);
    std::int64_t at = 0;
    for (auto& part : bucket) {
      part.copy_(sum.narrow(0, at, part.numel()));
      at += part.numel();
    }
  }
}

at::Device device_of(const std::vector<Parameter>& parameters) {
  return parameters.empty() ? at::kCPU : parameters.front().value.device();
}

/// The squared norm of each, brought to the host together.
std::vector<double> squared_norms(const std::vector<at::Tensor>& tensors) {
  if (tensors.empty()) return {};
  std::vector<at::Tensor> norms;
  for (const auto& tensor : tensors) norms.push_back(tensor.to(at::kDouble).square().sum());
  const auto all = at::stack(norms).cpu();
  return {all.const_data_ptr<double>(), all.const_data_ptr<double>() + all.numel()};
}

/// The part of `range` that lies in [offset, offset + size), counted from offset.
Slice overlap(Slice range, std::int64_t offset, std::int64_t size) {
  const std::int64_t begin = std::clamp<std::int64_t>(range.begin - offset, 0, size);
  return {begin, std::clamp<std::int64_t>(range.end - offset, begin, size)};
}

}  // namespace

AdamW::AdamW(std::vector<Parameter> parameters, OptimizerOptions options, Communicator& dp,
             Communicator& tp)
    : parameters_(std::move(parameters)),
      options_(options),
      dp_(dp),
      tp_(tp),
      steps_(at::zeros({}, at::device(device_of(parameters_)).dtype(at::kFloat))) {
  std::int64_t total = 0;
  for (const auto& parameter : parameters_) total += parameter.value.numel();
  const Slice mine = even_part(total, dp.rank(), dp.size());
  std::int64_t offset = 0;
  for (const auto& parameter : parameters_) {
    const Slice elements = overlap(mine, offset, parameter.value.numel());
    const auto zeros = at::zeros({elements.size()}, parameter.value.options());
    shards_.push_back({elements, zeros, zeros.clone()});
    offset += parameter.value.numel();
  }
}

void AdamW::zero_gradients() {
  for (auto& parameter : parameters_) parameter.value.mutable_grad() = at::Tensor();
}

void AdamW::reduce_gradients() {
  std::vector<at::Tensor> shares, all;
  for (auto& parameter : parameters_) {
    auto& gradient = parameter.value.mutable_grad();
    gradient = gradient.defined() ? gradient.contiguous() : at::zeros_like(parameter.value);
    all.push_back(gradient);
    if (parameter.tp == TpGradient::kShare) shares.push_back(gradient);
  }
  sum_over(tp_, shares);
  sum_over(dp_, all);
}

double AdamW::clip_gradients() {
  std::vector<at::Tensor> gradients;
  for (const auto& parameter : parameters_) gradients.push_back(parameter.value.grad());
  const auto norms = squared_norms(gradients);
  double same = 0, own = 0;
  for (std::size_t i = 0; i < norms.size(); ++i) {
    (parameters_[i].tp == TpGradient::kOwn ? own : same) += norms[i];
  }
  const double norm = std::sqrt(same + reduce_scalar(tp_, own, ReduceOp::kSum));
  if (options_.clip > 0 && norm > options_.clip) {
    for (auto& parameter : parameters_) {
      parameter.value.mutable_grad().mul_(options_.clip / (norm + 1e-6));
    }
  }
  return norm;
}

void AdamW::step(double learning_rate) {
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> values, gradients, averages, squares;
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    const Slice& elements = shards_[i].elements;
    if (elements.size() == 0) continue;
    const auto part = [&](const at::Tensor& tensor) {
      return flat(tensor.detach()).narrow(0, elements.begin, elements.size());
    };
    values.push_back(part(parameters_[i].value));
    gradients.push_back(part(parameters_[i].value.grad()));
    averages.push_back(shards_[i].average);
    squares.push_back(shards_[i].square);
  }
  steps_.add_(1);
  if (!values.empty()) {
    const std::vector<at::Tensor> steps(values.size(), steps_);
    at::_fused_adamw_(values, gradients, averages, squares, {}, steps, learning_rate,
                      options_.beta1, options_.beta2, options_.weight_decay, options_.epsilon,
                      /*amsgrad=*/false, /*maximize=*/false);
  }
  gather_values();
}

/// Every replica's part of the parameters, now moved, on every replica.
void AdamW::gather_values() {
  if (dp_.size() == 1) return;
  std::vector<at::Tensor> all;
  std::int64_t total = 0;
  for (const auto& parameter : parameters_) {
    all.push_back(flat(parameter.value.detach()));
    total += all.back().numel();
  }
  const auto before = at::cat(all);
  const Slice mine = even_part(total, dp_.rank(), dp_.size());
  auto padded = at::zeros({even_part(total, 0, dp_.size()).size()}, before.options());
  padded.narrow(0, 0, mine.size()).copy_(before.narrow(0, mine.begin, mine.size()));
  const auto gathered = dp_.all_gather(padded);
  std::vector<at::Tensor> parts;
  for (int r = 0; r < dp_.size(); ++r) {
    parts.push_back(gathered.narrow(0, r * padded.numel(), even_part(total, r, dp_.size()).size()));
  }
  const auto moved = at::cat(parts);
  std::int64_t at = 0;
  for (auto& value : all) {
    value.copy_(moved.narrow(0, at, value.numel()));
    at += value.numel();
  }
}

void AdamW::reset() {
  steps_.zero_();
  for (auto& shard : shards_) {
    shard.average.zero_();
    shard.square.zero_();
  }
}

at::Tensor AdamW::whole(const Parameter& parameter, const at::Tensor& local) const {
  if (parameter.tp != TpGradient::kOwn || tp_.size() == 1) return local;
  auto shape = local.sizes().vec();
  shape[static_cast<std::size_t>(parameter.dim)] = parameter.full;
  auto all = at::zeros(shape, local.options());
  all.narrow(parameter.dim, parameter.part.begin, parameter.part.size()).copy_(local);
  tp_.all_reduce(all, ReduceOp::kSum);
  return all;
}

at::Tensor AdamW::local(const Parameter& parameter, const at::Tensor& whole) {
  if (parameter.tp != TpGradient::kOwn) return whole;
  return whole.narrow(parameter.dim, parameter.part.begin, parameter.part.size()).contiguous();
}

/// The replicas' shards of a moment as one tensor of the parameter's local shape.
at::Tensor AdamW::gathered(std::size_t index, const at::Tensor& shard) const {
  const auto& value = parameters_[index].value;
  const Slice& elements = shards_[index].elements;
  auto all = at::zeros({value.numel()}, value.options().requires_grad(false));
  all.narrow(0, elements.begin, elements.size()).copy_(shard);
  dp_.all_reduce(all, ReduceOp::kSum);
  return all.view_as(value);
}

void AdamW::save(
    const std::function<void(const std::string& name, const at::Tensor& whole)>& keep) {
  const at::NoGradGuard no_grad;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const auto& parameter = parameters_[i];
    keep(parameter.name, whole(parameter, parameter.value.detach()));
    keep(parameter.name + ".exp_avg", whole(parameter, gathered(i, shards_[i].average)));
    keep(parameter.name + ".exp_avg_sq", whole(parameter, gathered(i, shards_[i].square)));
  }
  keep("adamw.steps", steps_.view({1}));
}

void AdamW::load(const std::function<void(const std::string& name, at::Tensor& whole)>& fill) {
  const at::NoGradGuard no_grad;
  const auto filled = [&](const Parameter& parameter, const std::string& name) {
    auto shape = parameter.value.sizes().vec();
    if (parameter.tp == TpGradient::kOwn) {
      shape[static_cast<std::size_t>(parameter.dim)] = parameter.full;
    }
    auto all = at::empty(shape, parameter.value.options().requires_grad(false));
    fill(name, all);
    return local(parameter, all);
  };
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const auto& parameter = parameters_[i];
    const Slice& elements = shards_[i].elements;
    parameter.value.detach().copy_(filled(parameter, parameter.name));
    const auto shard_of = [&](const std::string& name) {
      return flat(filled(parameter, name)).narrow(0, elements.begin, elements.size());
    };
    shards_[i].average.copy_(shard_of(parameter.name + ".exp_avg"));
    shards_[i].square.copy_(shard_of(parameter.name + ".exp_avg_sq"));
  }
  auto steps = at::empty({1}, at::kFloat);
  fill("adamw.steps", steps);
  steps_.copy_(steps[0]);
}

}  // namespace softcot
