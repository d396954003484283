#include "support/files.h"

#include <fstream>
#include <iterator>
#include <regex>

namespace softcot::test {

std::string slurp(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void spill(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

std::string without_seals(const std::string& json) {
  static const std::regex seal(R"(,\s*"xxh3_128":\s*"[0-9a-f]*")");
  return std::regex_replace(json, seal, "");
}

}  // namespace softcot::test
