#pragma once

#include <filesystem>

namespace softcot::test {

/// The folder of numeric fixtures: $SOFTCOT_FIXTURES, else their copy in the repository.
std::filesystem::path fixture_folder();

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
