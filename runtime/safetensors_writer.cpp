#include "runtime/safetensors_writer.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "runtime/atomic_file.h"
#include "runtime/error.h"
#include "runtime/safetensors_header.h"

namespace softcot {
namespace {

constexpr std::size_t kAlignment = 8;

void check(const std::string& name, const TensorView& view) {
  std::uint64_t bytes = 0;
  if (name == "__metadata__" || !tensor_bytes(view.dtype, view.shape, bytes) ||
      bytes != view.bytes.size()) {
    fail(ExitCode::kInternal,
         {.what = "tensor cannot be written: its name, shape or size is wrong", .where = name});
  }
}

}  // namespace

std::uint64_t write_safetensors(const std::filesystem::path& path, const TensorViews& tensors,
                                const std::map<std::string, std::string>& metadata) {
  std::vector<const TensorViews::value_type*> order;
  for (const auto& tensor : tensors) {
    check(tensor.first, tensor.second);
    order.push_back(&tensor);
  }
  std::stable_sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return a->second.dtype > b->second.dtype;  // the types are numbered by rising alignment
  });

  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::uint64_t offset = 0;
  for (const auto* tensor : order) {
    const TensorView& view = tensor->second;
    const std::uint64_t end = offset + view.bytes.size();
    header[tensor->first] = {
        {"dtype", dtype_name(view.dtype)}, {"shape", view.shape}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const nlohmann::json::exception&) {
    fail(ExitCode::kInternal,
         {.what = "tensor name or metadata is not UTF-8", .where = path.string()});
  }
  text.resize((text.size() + kAlignment - 1) / kAlignment * kAlignment, ' ');
  if (text.size() > kSafetensorsMaxHeader) {
    fail(ExitCode::kInternal, {.what = "too many tensors for one file", .where = path.string()});
  }

  std::string length(8, '\0');
  for (std::size_t i = 0; i < length.size(); ++i) {
    length[i] = static_cast<char>(text.size() >> (8 * i) & 0xff);
  }
  AtomicFile file(path);
  file.write(length);
  file.write(text);
  for (const auto* tensor : order) file.write(tensor->second.bytes);
  file.commit();
  return file.size();
}

}  // namespace softcot
