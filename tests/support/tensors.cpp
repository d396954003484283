#include "support/tensors.h"

#include <cstring>
#include <limits>

namespace softcot::test {

std::vector<int> tp_sizes(const std::filesystem::path& model, int ranks) {
  std::vector<int> sizes = legal_tp_sizes(read_model_config(model));
  std::erase_if(sizes, [ranks](int tp) { return ranks % tp != 0; });
  return sizes;
}

std::map<std::string, at::Tensor> load_case(const std::filesystem::path& file) {
  const auto source = SafetensorsFile::open(file);
  std::map<std::string, at::Tensor> tensors;
  for (const auto& name : source.names()) {
    const auto view = source.tensor(name);
    const std::vector<std::int64_t> shape(view.shape.begin(), view.shape.end());
    auto tensor = at::empty(shape, view.dtype == DType::kI64 ? at::kLong : at::kFloat);
    std::memcpy(tensor.data_ptr(), view.bytes.data(), view.bytes.size());
    tensors[name] = tensor;
  }
  return tensors;
}

double largest_difference(const at::Tensor& a, const at::Tensor& b) {
  if (a.sizes() != b.sizes()) return std::numeric_limits<double>::infinity();
  const double largest =
      (a.cpu().to(at::kDouble) - b.cpu().to(at::kDouble)).abs().max().item<double>();
  return std::isnan(largest) ? std::numeric_limits<double>::infinity() : largest;
}

double relative_difference(const at::Tensor& got, const at::Tensor& expected) {
  return largest_difference(got, expected) / expected.abs().max().item<double>();
}

std::vector<SoftRow> soft_rows(const std::map<std::string, at::Tensor>& tensors,
                               const std::string& prefix, std::int64_t thoughts) {
  const auto& ids = tensors.at(prefix + "input_ids");
  const auto lengths = tensors.at(prefix + "attention_mask").sum(1);
  const auto& starts = tensors.at(prefix + "thought_start");
  std::vector<SoftRow> rows;
  for (std::int64_t r = 0; r < ids.size(0); ++r) {
    SoftRow row;
    row.id = "row " + std::to_string(r);
    const std::int64_t length = lengths[r].item<std::int64_t>();
    const auto* data = ids[r].const_data_ptr<std::int64_t>();
    row.ids.assign(data, data + length);
    row.thought_begin = starts[r].item<std::int64_t>();
    row.thought_count = thoughts;
    // The supervised tokens are a suffix: the first label that is not -100 begins it.
    const auto labels = tensors.at(prefix + "labels")[r];
    row.target_begin = labels.ne(-100).nonzero()[0].item<std::int64_t>();
    rows.push_back(row);
  }
  return rows;
}

}  // namespace softcot::test
