#pragma once

#include <climits>
#include <cstddef>
#include <cstdint>
#include <string>

namespace softcot {

/// The few types of NCCL's C interface that we use, as its header lays them out since version 2.14:
/// so that neither it nor CUDA is needed to build.
namespace nccl {

struct ncclComm;
using Comm = ncclComm*;
using Stream = void*;  ///< A cudaStream_t.

struct UniqueId {
  char bytes[128];
};

enum Result : int {
  kSuccess = 0,
  kSystemError = 2,
  kInvalidArgument = 4,
  kRemoteError = 6,
  kInProgress = 7,
};
inline bool is_error(Result result) { return result != kSuccess && result != kInProgress; }
enum DataType : int { kUint8 = 1, kInt64 = 4, kFloat32 = 7, kFloat64 = 8, kBfloat16 = 9 };
enum RedOp : int { kSum = 0, kMax = 2, kMin = 3 };

/// Of version 2.14; later libraries take their own defaults for what they have added.
struct Config {
  std::size_t size = sizeof(Config);
  unsigned magic = 0xcafebeef;
  unsigned version = 21400;
  int blocking = INT_MIN;  ///< 0: calls return at once, kInProgress where they go on.
};

/// NCCL's functions under their own names, less "nccl".
struct Functions {
  Result (*GetVersion)(int* version);
  Result (*GetUniqueId)(UniqueId* id);
  Result (*CommInitRankConfig)(Comm* comm, int ranks, UniqueId id, int rank, Config* config);
  Result (*CommFinalize)(Comm comm);
  Result (*CommDestroy)(Comm comm);
  Result (*CommAbort)(Comm comm);
  Result (*CommGetAsyncError)(Comm comm, Result* error);
  const char* (*GetErrorString)(Result result);
  const char* (*GetLastError)(Comm comm);
  /// Null before version 2.22, where CommAbort does not join a group.
  Result (*GroupStart)();
  Result (*GroupEnd)();
  Result (*AllReduce)(const void* send, void* receive, std::size_t count, DataType type, RedOp op,
                      Comm comm, Stream stream);
  Result (*AllGather)(const void* send, void* receive, std::size_t count, DataType type, Comm comm,
                      Stream stream);
  Result (*ReduceScatter)(const void* send, void* receive, std::size_t count, DataType type,
                          RedOp op, Comm comm, Stream stream);
  Result (*Broadcast)(const void* send, void* receive, std::size_t count, DataType type, int root,
                      Comm comm, Stream stream);
};

}  // namespace nccl

/// NCCL, found and opened when it is first asked for; it stays open.
class NcclLibrary {
 public:
  /// Opens $SOFTCOT_NCCL_LIBRARY if that is set, else libnccl.so.2 where the dynamic linker finds
  /// it: in a build with CUDA that is the one of the Python package that LibTorch's libraries have
  /// on their path. Throws kResources when there is none, or one older than 2.14. Local.
  static const NcclLibrary& get();

  const nccl::Functions& call() const { return functions_; }
  const std::string& path() const { return path_; }        ///< The file that was opened.
  const std::string& version() const { return version_; }  ///< "2.28.9"
  /// Whether its buffers are in host memory: true of the stand-in that the tests bring alone.
  bool on_host_memory() const { return on_host_memory_; }

 private:
  NcclLibrary();

  nccl::Functions functions_{};
  std::string path_;
  std::string version_;
  bool on_host_memory_ = false;
};

}  // namespace softcot
