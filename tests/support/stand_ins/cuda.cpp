// The few functions of NVIDIA's driver that softcot asks for the GPUs of a machine, for tests. Put
// its folder on LD_LIBRARY_PATH, or open it by its path first.
//   SOFTCOT_STAND_IN_GPUS        how many the machine has; number d has the UUID d, d, d …
//   SOFTCOT_STAND_IN_CUDA_ERROR  what cuInit returns: CODE, or R:CODE on rank R alone
//   SOFTCOT_STAND_IN_CUDA_LOG    file to which cuInit adds the process's CUDA_VISIBLE_DEVICES
// As the driver does, it shows what CUDA_VISIBLE_DEVICES names, up to the first name that is none.
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

int machine_gpus() { return std::atoi(variable("SOFTCOT_STAND_IN_GPUS").c_str()); }

/// "GPU-03030303-0303-0303-0303-030303030303"; a MIG instance is named alike.
bool is_named(const std::string& name, int device) {
  if (name == std::to_string(device)) return true;
  if (name.size() != 40 || (!name.starts_with("GPU-") && !name.starts_with("MIG-"))) return false;
  char digits[3];
  std::snprintf(digits, sizeof digits, "%02x", static_cast<unsigned>(device) & 255U);
  return name.substr(4, 2) == digits && name.substr(38) == digits;
}

std::vector<int> visible() {
  std::vector<int> devices;
  if (std::getenv("CUDA_VISIBLE_DEVICES") == nullptr) {
    for (int device = 0; device < machine_gpus(); ++device) devices.push_back(device);
    return devices;
  }
  std::istringstream list(variable("CUDA_VISIBLE_DEVICES"));
  for (std::string name; std::getline(list, name, ',');) {
    int device = 0;
    while (device < machine_gpus() && !is_named(name, device)) ++device;
    if (device == machine_gpus()) break;
    devices.push_back(device);
  }
  return devices;
}

}  // namespace

extern "C" {

int cuInit(unsigned) {
  if (const std::string log = variable("SOFTCOT_STAND_IN_CUDA_LOG"); !log.empty()) {
    std::ofstream(log, std::ios::app) << variable("CUDA_VISIBLE_DEVICES") + "\n";
  }
  const std::string error = variable("SOFTCOT_STAND_IN_CUDA_ERROR");
  const std::size_t colon = error.find(':');
  if (colon == std::string::npos) return std::atoi(error.c_str());
  const std::string rank = variable("OMPI_COMM_WORLD_RANK");
  return error.substr(0, colon) == rank ? std::atoi(error.substr(colon + 1).c_str()) : 0;
}

int cuDeviceGetCount(int* count) {
  *count = static_cast<int>(visible().size());
  return 0;
}

int cuDeviceGetUuid_v2(unsigned char* uuid, int device) {
  std::memset(uuid, visible().at(static_cast<std::size_t>(device)), 16);
  return 0;
}

int cuDeviceGetName(char* name, int size, int) {
  std::strncpy(name, "Stand-in GPU", static_cast<std::size_t>(size));
  return 0;
}

int cuDeviceTotalMem_v2(std::size_t* bytes, int) {
  *bytes = std::size_t{80} << 30;
  return 0;
}

}  // extern "C"
