// The few functions of NVIDIA's driver that softcot asks for the GPUs of a machine, for tests: as
// many GPUs as SOFTCOT_STAND_IN_GPUS says. Put its folder on LD_LIBRARY_PATH.
#include <cstdlib>
#include <cstring>

extern "C" {

int cuInit(unsigned) { return 0; }

int cuDeviceGetCount(int* count) {
  const char* all = std::getenv("SOFTCOT_STAND_IN_GPUS");
  *count = all == nullptr ? 0 : std::atoi(all);
  return 0;
}

int cuDeviceGetUuid_v2(unsigned char* uuid, int device) {
  std::memset(uuid, device, 16);
  return 0;
}

int cuDeviceGetName(char* name, int size, int) {
  std::strncpy(name, "Stand-in GPU", static_cast<std::size_t>(size));
  return 0;
}

}  // extern "C"
