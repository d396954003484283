#include "support/fixtures.h"

#include <cstdlib>
#include <stdexcept>
#include <string>

namespace softcot::test {

std::filesystem::path fixture_folder() {
  const char* chosen = std::getenv("SOFTCOT_FIXTURES");
  return chosen != nullptr && *chosen != '\0' ? chosen : SOFTCOT_FIXTURE_COPY;
}

std::optional<std::filesystem::path> model_folder(const std::string& name) {
  const char* chosen = std::getenv("SOFTCOT_MODELS");
  const std::filesystem::path models =
      chosen != nullptr && *chosen != '\0' ? chosen : SOFTCOT_MODEL_FOLDER;
  if (!std::filesystem::exists(models / name / "config.json")) return std::nullopt;
  return models / name;
}

TemporaryFolder::TemporaryFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "softcot-test-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make " + name);
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace softcot::test
