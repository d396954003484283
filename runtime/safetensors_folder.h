#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/safetensors.h"

namespace softcot {

/// The weights of a Hugging Face model folder: `model.safetensors`, or the shards that
/// `model.safetensors.index.json` names. Views are valid as long as the object. Local.
class SafetensorsFolder {
 public:
  /// Opens all files. Throws kInput when there is no such folder or neither file is in it, when a
  /// shard or a tensor that the index names is missing (the first five are listed, with the count),
  /// when a shard's name leads out of the folder, or when a file breaks the format.
  static SafetensorsFolder open(const std::filesystem::path& folder);

  const std::filesystem::path& path() const { return path_; }
  const std::vector<SafetensorsFile>& files() const { return files_; }
  /// In the order of names.
  std::vector<std::string> names() const;
  bool contains(std::string_view name) const { return owner_.contains(std::string(name)); }
  /// Throws kInput naming tensor and folder when there is none of that name.
  TensorView tensor(std::string_view name) const;

  /// Takes the pages of all files out of this process's resident memory; views stay valid.
  void release_pages() const;

  /// Hash of everything that makes the model: `config.json` when there is one, then the number of
  /// files and, for each in the order of names, its size and its whole contents. File names do not
  /// count. Reads all weights, at the speed of the disk or of memory.
  std::string content_hash() const;

 private:
  std::filesystem::path path_;
  std::vector<SafetensorsFile> files_;
  std::map<std::string, std::size_t> owner_;  // tensor -> file
};

}  // namespace softcot
