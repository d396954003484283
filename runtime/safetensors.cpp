#include "runtime/safetensors.h"

#include <utility>

#include "runtime/error.h"

namespace softcot {

SafetensorsFile SafetensorsFile::open(const std::filesystem::path& path) {
  return SafetensorsFile(path, MappedFile::open(path));
}

SafetensorsFile::SafetensorsFile(std::filesystem::path path, MappedFile file)
    : path_(std::move(path)),
      file_(std::move(file)),
      header_(parse_safetensors_header(file_.bytes(), path_.string())) {
  names_.reserve(header_.entries.size());
  for (const SafetensorsEntry& entry : header_.entries) {
    index_.emplace(entry.name, names_.size());
    names_.push_back(entry.name);
  }
}

bool SafetensorsFile::contains(std::string_view name) const {
  return index_.contains(std::string(name));
}

TensorView SafetensorsFile::tensor(std::string_view name) const {
  const auto found = index_.find(std::string(name));
  if (found == index_.end()) {
    fail(ExitCode::kInput,
         {.what = "tensor \"" + std::string(name) + "\" is missing", .where = path_.string()});
  }
  const SafetensorsEntry& entry = header_.entries[found->second];
  return {entry.dtype, entry.shape,
          file_.bytes().subspan(header_.data_start + entry.begin, entry.end - entry.begin)};
}

}  // namespace softcot
