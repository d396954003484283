#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "runtime/host_tensor.h"
#include "runtime/mapped_file.h"
#include "runtime/safetensors_header.h"

namespace softcot {

/// A safetensors file mapped read-only: opening reads the header, a tensor's bytes are read when
/// they are touched. Views are valid as long as the object. Tensors begin where the writer put
/// them, so their bytes may lie at any address: copy, do not cast. Local; reading is safe from many
/// threads.
class SafetensorsFile {
 public:
  /// Throws kInput when the file cannot be read or breaks the format in any way, with the tensor at
  /// fault; see parse_safetensors_header for what is checked. Values are not looked at.
  static SafetensorsFile open(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return path_; }
  /// In the order of the file.
  const std::vector<std::string>& names() const { return names_; }
  bool contains(std::string_view name) const;
  /// Throws kInput when there is no such tensor.
  TensorView tensor(std::string_view name) const;
  const std::map<std::string, std::string>& metadata() const { return header_.metadata; }
  /// Whole file, header included.
  std::span<const std::byte> file_bytes() const { return file_.bytes(); }
  /// See MappedFile.
  void release_pages() const { file_.release_pages(); }

 private:
  SafetensorsFile(std::filesystem::path path, MappedFile file);

  std::filesystem::path path_;
  MappedFile file_;
  SafetensorsHeader header_;
  std::vector<std::string> names_;
  std::unordered_map<std::string, std::size_t> index_;
};

}  // namespace softcot
