#include "runtime/gpus.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <array>
#include <set>

namespace softcot {

std::vector<std::string> visible_gpus() {
  void* driver = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);
  if (driver == nullptr) return {};
  // Of the driver's interface, which has kept these since version 11.4.
  const auto initialise = reinterpret_cast<int (*)(unsigned)>(dlsym(driver, "cuInit"));
  const auto get_count = reinterpret_cast<int (*)(int*)>(dlsym(driver, "cuDeviceGetCount"));
  const auto get_uuid =
      reinterpret_cast<int (*)(unsigned char*, int)>(dlsym(driver, "cuDeviceGetUuid_v2"));
  int count = 0;
  if (initialise == nullptr || get_count == nullptr || get_uuid == nullptr || initialise(0) != 0 ||
      get_count(&count) != 0) {
    return {};
  }
  std::vector<std::string> names;
  for (int device = 0; device < count; ++device) {
    std::array<unsigned char, 16> uuid{};
    if (get_uuid(uuid.data(), device) != 0) return {};
    std::string name;
    for (const unsigned char byte : uuid) name += fmt::format("{:02x}", byte);
    names.push_back(std::move(name));
  }
  return names;
}

std::optional<int> gpu_for_rank(const std::vector<std::vector<std::string>>& visible,
                                int local_rank) {
  std::set<std::string> taken;
  for (int rank = 0; rank <= local_rank; ++rank) {
    const auto& mine = visible.at(rank);
    std::optional<int> chosen;
    for (std::size_t i = 0; i < mine.size() && !chosen; ++i) {
      if (taken.insert(mine[i]).second) chosen = static_cast<int>(i);
    }
    if (rank == local_rank) return chosen;
  }
  return std::nullopt;
}

}  // namespace softcot
