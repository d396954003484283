#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace softcot::test {

/// The folder of numeric fixtures: $SOFTCOT_FIXTURES, else their copy in the repository.
std::filesystem::path fixture_folder();

/// A real model's Hugging Face folder by name: $SOFTCOT_MODELS/name, else build/models/name of the
/// source tree, where launch/setup.sh puts it. Nothing when it is not there.
std::optional<std::filesystem::path> model_folder(const std::string& name);

/// A fresh empty folder, removed with its contents at the end of the scope.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace softcot::test
