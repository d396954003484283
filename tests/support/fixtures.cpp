#include "support/fixtures.h"

#include <cstdlib>
#include <stdexcept>
#include <string>

namespace softcot::test {

std::filesystem::path fixture_folder() {
  const char* chosen = std::getenv("SOFTCOT_FIXTURES");
  return chosen != nullptr && *chosen != '\0' ? chosen : SOFTCOT_FIXTURE_COPY;
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
