#include "runtime/gpus.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <array>
#include <set>

namespace softcot {

namespace {

/// NVIDIA's driver; of its interface what it has kept since version 11.4.
class Driver {
 public:
  Driver() : library_(dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL)) {
    const auto initialise = function<int(unsigned)>("cuInit");
    if (initialise == nullptr || initialise(0) != 0) library_ = nullptr;
  }

  /// Null without a driver.
  template <typename Type>
  Type* function(const char* name) const {
    return library_ == nullptr ? nullptr : reinterpret_cast<Type*>(dlsym(library_, name));
  }

  int count() const {
    const auto get = function<int(int*)>("cuDeviceGetCount");
    int devices = 0;
    return get != nullptr && get(&devices) == 0 ? devices : 0;
  }

 private:
  void* library_;
};

}  // namespace

std::vector<std::string> visible_gpus() {
  const Driver driver;
  const auto get_uuid = driver.function<int(unsigned char*, int)>("cuDeviceGetUuid_v2");
  if (get_uuid == nullptr) return {};
  std::vector<std::string> names;
  for (int device = 0; device < driver.count(); ++device) {
    std::array<unsigned char, 16> uuid{};
    if (get_uuid(uuid.data(), device) != 0) return {};
    std::string name;
    for (const unsigned char byte : uuid) name += fmt::format("{:02x}", byte);
    names.push_back(std::move(name));
  }
  return names;
}

std::string first_gpu_model() {
  const Driver driver;
  const auto get_name = driver.function<int(char*, int, int)>("cuDeviceGetName");
  std::array<char, 128> name{};
  if (get_name == nullptr || driver.count() == 0) return "";
  return get_name(name.data(), static_cast<int>(name.size()) - 1, 0) == 0 ? name.data() : "";
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
