#include "runtime/nccl_library.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <cstdlib>

#include "runtime/error.h"

namespace softcot {
namespace {

constexpr int kAbortsInGroups = 22200;  // Version 2.22.0.

[[noreturn]] void fail_opening(const std::string& where, const std::string& got) {
  fail(ExitCode::kResources,
       {.what = "NCCL cannot be used",
        .where = where,
        .expected = "libnccl.so.2 of version 2.14 or later",
        .got = got,
        .fix = "install it, name its file in SOFTCOT_NCCL_LIBRARY, or give "
               "--parallel.transport mpi; softcot doctor shows what is found"});
}

struct Opened {
  void* handle;
  std::string path;
};

Opened open_library() {
  const char* chosen = std::getenv("SOFTCOT_NCCL_LIBRARY");
  const std::string name = chosen != nullptr && *chosen != '\0' ? chosen : "libnccl.so.2";
  void* handle = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) fail_opening(name, dlerror());
  return {handle, name};
}

template <typename Function>
void find(const Opened& library, const char* name, Function*& function) {
  function = reinterpret_cast<Function*>(dlsym(library.handle, name));
  if (function == nullptr) fail_opening(library.path, fmt::format("no function {}", name));
}

}  // namespace

NcclLibrary::NcclLibrary() {
  const Opened library = open_library();
  nccl::Functions& f = functions_;
  find(library, "ncclGetVersion", f.GetVersion);
  find(library, "ncclGetUniqueId", f.GetUniqueId);
  find(library, "ncclCommInitRankConfig", f.CommInitRankConfig);
  find(library, "ncclCommFinalize", f.CommFinalize);
  find(library, "ncclCommDestroy", f.CommDestroy);
  find(library, "ncclCommAbort", f.CommAbort);
  find(library, "ncclCommGetAsyncError", f.CommGetAsyncError);
  find(library, "ncclGetErrorString", f.GetErrorString);
  find(library, "ncclGetLastError", f.GetLastError);
  find(library, "ncclAllReduce", f.AllReduce);
  find(library, "ncclAllGather", f.AllGather);
  find(library, "ncclReduceScatter", f.ReduceScatter);
  find(library, "ncclBroadcast", f.Broadcast);
  Dl_info info{};
  const bool known = dladdr(reinterpret_cast<void*>(f.GetVersion), &info) != 0;
  path_ = known && info.dli_fname != nullptr ? info.dli_fname : library.path;
  int number = 0;
  if (f.GetVersion(&number) != nccl::kSuccess || number < 21400) {
    fail_opening(path_, fmt::format("version {}", number));
  }
  if (number >= kAbortsInGroups) {
    find(library, "ncclGroupStart", f.GroupStart);
    find(library, "ncclGroupEnd", f.GroupEnd);
  }
  version_ = fmt::format("{}.{}.{}", number / 10000, number / 100 % 100, number % 100);
  on_host_memory_ = dlsym(library.handle, "softcot_nccl_on_host_memory") != nullptr;
}

const NcclLibrary& NcclLibrary::get() {
  static const NcclLibrary library;
  return library;
}

}  // namespace softcot
