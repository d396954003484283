#include "model/weights.h"

#include <ATen/Functions.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "model/stored_head.h"
#include "runtime/error.h"

namespace softcot {

at::ScalarType scalar_type(DType dtype, const std::string& where) {
  switch (dtype) {
    case DType::kF32:
      return at::kFloat;
    case DType::kF16:
      return at::kHalf;
    case DType::kBF16:
      return at::kBFloat16;
    case DType::kF64:
      return at::kDouble;
    default:
      fail(ExitCode::kInput, {.what = "weight is not of a floating-point type",
                              .where = where,
                              .expected = "F32, F16 or BF16"});
  }
}

namespace {

/// Weights begin at multiples of so many bytes.
constexpr std::int64_t kAlignment = 64;

std::int64_t aligned(std::int64_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

std::int64_t copies_of(const WeightRule& rule, const ModelConfig& config) {
  return std::string_view(rule.name).find("{}") == std::string_view::npos ? 1 : config.layers;
}

std::vector<std::int64_t> shape_of(const WeightRule& rule, const ShardPlan& plan) {
  if (rule.columns == Dim::kOne) return {plan.full(rule.rows)};
  return {plan.full(rule.rows), plan.full(rule.columns)};
}

}  // namespace

std::string weight_name(const std::string& pattern, std::int64_t layer) {
  const auto at = pattern.find("{}");
  if (at == std::string::npos) return pattern;
  return pattern.substr(0, at) + std::to_string(layer) + pattern.substr(at + 2);
}

WeightReader::WeightReader(const std::filesystem::path& folder, const ModelConfig& config,
                           const ShardPlan& plan, at::ScalarType dtype, at::Device device)
    : files_(SafetensorsFolder::open(folder)),
      config_(config),
      plan_(plan),
      rules_(weight_rules(config)),
      dtype_(dtype),
      device_(device) {
  require_complete();
}

void WeightReader::require_complete() const {
  constexpr std::size_t kNamed = 5;
  std::vector<std::string> missing;
  for (const auto& rule : rules_) {
    const std::string pattern = rule.name;
    for (std::int64_t layer = 0; layer < copies_of(rule, config_); ++layer) {
      const std::string name = stored_name(files_, config_.tied_head, weight_name(pattern, layer));
      if (!files_.contains(name)) {
        missing.push_back(name);
        continue;
      }
      const auto view = files_.tensor(name);
      const std::string where = fmt::format("{}: {}", files_.path().string(), name);
      const auto expected = shape_of(rule, plan_);
      if (!std::equal(expected.begin(), expected.end(), view.shape.begin(), view.shape.end())) {
        fail(ExitCode::kInput, {.what = "weight has a shape that config.json contradicts",
                                .where = where,
                                .expected = fmt::format("[{}]", fmt::join(expected, ", ")),
                                .got = fmt::format("[{}]", fmt::join(view.shape, ", "))});
      }
      scalar_type(view.dtype, where);
    }
  }
  if (missing.empty()) return;
  const std::size_t named = std::min(missing.size(), kNamed);
  const std::vector<std::string> first(missing.begin(), missing.begin() + named);
  const auto rest = missing.size() - named;
  const bool head_only = missing == std::vector<std::string>{kHeadName};
  fail(ExitCode::kInput,
       {.what = missing.size() == 1 ? "a weight is missing"
                                    : fmt::format("{} weights are missing", missing.size()),
        .where = files_.path().string(),
        .got = rest == 0 ? fmt::format("without {}", fmt::join(first, ", "))
                         : fmt::format("without {} and {} more", fmt::join(first, ", "), rest),
        .fix = head_only
                   ? "config.json does not tie the head: set tie_word_embeddings to true if it "
                     "is the embedding, else copy the whole model folder again"
                   : "copy the whole model folder again"});
}

const WeightRule& WeightReader::rule(const std::string& name) const {
  const auto found = std::find_if(rules_.begin(), rules_.end(),
                                  [&](const auto& rule) { return name == rule.name; });
  if (found == rules_.end())
    fail(ExitCode::kInternal, {.what = "no rule for weight", .where = name});
  return *found;
}

/// A view of the mapped file: this rank's slice in the file's own dtype.
at::Tensor WeightReader::slice(const std::string& name, std::int64_t layer) const {
  const auto& cut = rule(name);
  const std::string full_name = stored_name(files_, config_.tied_head, weight_name(name, layer));
  const auto view = files_.tensor(full_name);
  const auto type = scalar_type(view.dtype, full_name);
  auto whole = at::from_blob(const_cast<std::byte*>(view.bytes.data()), shape_of(cut, plan_), type);
  if (cut.cut == Cut::kNone) return whole;
  const int dim = cut.cut == Cut::kRows ? 0 : 1;
  const Slice part = plan_.range(dim == 0 ? cut.rows : cut.columns);
  return whole.narrow(dim, part.begin, part.size());
}

at::Tensor WeightReader::place(at::IntArrayRef shape, at::ScalarType dtype) {
  if (!device_.is_cpu()) return at::empty(shape, dtype);
  if (!block_.defined()) {
    std::int64_t bytes = 0;
    for (const auto& rule : rules_) {
      auto part = shape_of(rule, plan_);
      if (rule.cut != Cut::kNone) {
        const bool rows = rule.cut == Cut::kRows;
        part[rows ? 0 : 1] = plan_.range(rows ? rule.rows : rule.columns).size();
      }
      const auto number = c10::elementSize(rule.columns == Dim::kOne ? at::kFloat : dtype_);
      bytes += copies_of(rule, config_) *
               aligned(c10::multiply_integers(part) * static_cast<std::int64_t>(number));
    }
    block_ = at::empty({bytes}, at::kByte);
  }
  const auto bytes =
      c10::multiply_integers(shape) * static_cast<std::int64_t>(c10::elementSize(dtype));
  const auto weight = block_.narrow(0, used_, bytes).view(dtype).view(shape);
  used_ += aligned(bytes);
  return weight;
}

/// Slices one below the other. The system maps the pages around one that is
/// touched too; they go again, so that loading needs little more than the weights themselves.
at::Tensor WeightReader::read_as(at::ScalarType dtype, const std::vector<std::string>& names,
                                 std::int64_t layer) {
  std::vector<at::Tensor> parts;
  std::int64_t rows = 0;
  for (const auto& name : names) {
    parts.push_back(slice(name, layer));
    rows += parts.back().size(0);
  }
  auto shape = parts[0].sizes().vec();
  shape[0] = rows;
  auto stacked = place(shape, dtype);
  std::int64_t at = 0;
  for (const auto& part : parts) {
    stacked.narrow(0, at, part.size(0)).copy_(part);
    at += part.size(0);
  }
  files_.release_pages();
  return stacked.to(device_);
}

at::Tensor WeightReader::read(const std::string& name, std::int64_t layer) {
  return read_as(dtype_, {name}, layer);
}

at::Tensor WeightReader::read_vector(const std::string& name, std::int64_t layer) {
  return read_as(device_.is_cpu() ? at::kFloat : dtype_, {name}, layer);
}

at::Tensor WeightReader::read_stacked(const std::vector<std::string>& names, std::int64_t layer) {
  return read_as(dtype_, names, layer);
}

at::Tensor WeightReader::read_stacked_vectors(const std::vector<std::string>& names,
                                              std::int64_t layer) {
  return read_as(device_.is_cpu() ? at::kFloat : dtype_, names, layer);
}

}  // namespace softcot
