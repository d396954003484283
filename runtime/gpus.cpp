#include "runtime/gpus.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <array>
#include <set>
#include <sstream>

namespace softcot {

namespace {

constexpr int kNoDevice = 100;  // The driver works, and has nothing to show.

struct DriverError {
  int code;
  const char* meaning;
  const char* fix;
};

/// Those that machines meet, by the names of cuda.h in words.
constexpr DriverError kErrors[] = {
    {34, "stub library", "take CUDA's folder stubs off LD_LIBRARY_PATH"},
    {46, "device unavailable", "look with nvidia-smi for a process that holds it exclusively"},
    {304, "operating system call failed", "check that /dev/nvidia* may be opened"},
    {802, "system not ready", "start nvidia-fabricmanager and wait until it is up"},
    {803, "driver and its library differ in version", "reboot, or reload the kernel module"},
    {804, "forward compatibility not supported", "take cuda-compat off LD_LIBRARY_PATH"},
    {999, "unknown error", "read nvidia-smi and dmesg; /dev/nvidia-uvm must be there"},
};

/// NVIDIA's driver; of its interface what it has kept since version 11.4.
class Driver {
 public:
  Driver() : library_(dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL)) {}

  VisibleGpus look() const {
    if (library_ == nullptr) return without_library(dlerror());
    const auto initialise = function<int(unsigned)>("cuInit");
    const auto count_devices = function<int(int*)>("cuDeviceGetCount");
    const auto get_uuid = function<int(unsigned char*, int)>("cuDeviceGetUuid_v2");
    const auto get_name = function<int(char*, int, int)>("cuDeviceGetName");
    const auto get_memory = function<int(std::size_t*, int)>("cuDeviceTotalMem_v2");
    if (initialise == nullptr || count_devices == nullptr || get_uuid == nullptr ||
        get_name == nullptr || get_memory == nullptr) {
      return {.problem = "its library lacks functions of version 11.4", .fix = "update the driver"};
    }
    if (const int code = initialise(0); code != 0) return failed("cuInit", code);
    int count = 0;
    if (const int code = count_devices(&count); code != 0) return failed("cuDeviceGetCount", code);
    VisibleGpus found;
    for (int device = 0; device < count; ++device) {
      std::array<unsigned char, 16> uuid{};
      std::array<char, 128> model{};
      std::size_t bytes = 0;
      if (const int code = get_uuid(uuid.data(), device); code != 0) {
        return failed("cuDeviceGetUuid", code);
      }
      if (const int code = get_name(model.data(), static_cast<int>(model.size()) - 1, device);
          code != 0) {
        return failed("cuDeviceGetName", code);
      }
      if (const int code = get_memory(&bytes, device); code != 0) {
        return failed("cuDeviceTotalMem", code);
      }
      found.gpus.push_back({name_of(uuid, model.data()), model.data(), bytes});
    }
    return found;
  }

 private:
  template <typename Type>
  Type* function(const char* name) const {
    return reinterpret_cast<Type*>(dlsym(library_, name));
  }

  static VisibleGpus without_library(const std::string& why) {
    if (why.find("No such file") != std::string::npos) return {};
    return {.problem = "its library cannot be opened: " + why, .fix = "reinstall the driver"};
  }

  VisibleGpus failed(const char* call, int code) const {
    if (code == kNoDevice) return {};
    for (const DriverError& each : kErrors) {
      if (each.code != code) continue;
      return {.problem = fmt::format("{}: error {}, {}", call, code, each.meaning),
              .fix = each.fix};
    }
    const char* meaning = nullptr;
    const auto get_string = function<int(int, const char**)>("cuGetErrorString");
    if (get_string != nullptr) get_string(code, &meaning);
    return {.problem = fmt::format("{}: error {}, {}", call, code,
                                   meaning == nullptr ? "of a kind unknown here" : meaning),
            .fix = "read nvidia-smi and dmesg"};
  }

  /// The driver gives a MIG instance's own UUID; only the model's name tells what it is.
  static std::string name_of(const std::array<unsigned char, 16>& uuid, const std::string& model) {
    std::string name = model.find(" MIG ") == std::string::npos ? "GPU" : "MIG";
    for (std::size_t i = 0; i < uuid.size(); ++i) {
      const bool begins_group = i == 0 || i == 4 || i == 6 || i == 8 || i == 10;
      name += fmt::format("{}{:02x}", begins_group ? "-" : "", uuid[i]);
    }
    return name;
  }

  void* library_;
};

}  // namespace

VisibleGpus visible_gpus() { return Driver().look(); }

std::vector<std::string> names_for_children(const std::vector<Gpu>& gpus,
                                            const std::optional<std::string>& own_list) {
  std::vector<std::string> names;
  std::istringstream list(own_list.value_or(""));
  for (std::string entry; std::getline(list, entry, ',') && names.size() < gpus.size();) {
    const auto begin = entry.find_first_not_of(' ');
    if (begin == std::string::npos) break;
    names.push_back(entry.substr(begin, entry.find_last_not_of(' ') + 1 - begin));
  }
  if (names.size() == gpus.size()) return names;
  names.clear();
  for (const Gpu& gpu : gpus) names.push_back(gpu.name);
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
