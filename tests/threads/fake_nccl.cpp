// An NCCL of one process that does nothing: communicators are made in a few polls, collectives are
// taken at once, and fail when the test says so. For the watchdog's threads, without MPI.
#include <atomic>

#include "runtime/nccl_library.h"

namespace softcot::nccl {

namespace {
std::atomic<int> async_error{kSuccess};
std::atomic<int> aborted{0};
}  // namespace

struct ncclComm {
  std::atomic<int> polls_left{3};
};

extern "C" {

void fake_nccl_fail(int result) { async_error = result; }
int fake_nccl_aborted() { return aborted; }

Result ncclGetVersion(int* version) {
  *version = 22000;
  return kSuccess;
}
Result ncclGetUniqueId(UniqueId*) { return kSuccess; }
Result ncclCommInitRankConfig(Comm* comm, int, UniqueId, int, Config*) {
  *comm = new ncclComm;
  return kInProgress;
}
Result ncclCommFinalize(Comm) { return kSuccess; }
Result ncclCommDestroy(Comm comm) {
  delete comm;
  return kSuccess;
}
Result ncclCommAbort(Comm comm) {
  ++aborted;
  delete comm;
  return kSuccess;
}
Result ncclCommGetAsyncError(Comm comm, Result* error) {
  const bool making = comm->polls_left > 0;
  if (making) --comm->polls_left;
  *error = making ? kInProgress : static_cast<Result>(async_error.load());
  return kSuccess;
}
const char* ncclGetErrorString(Result) { return "an error that the test asked for"; }
const char* ncclGetLastError(Comm) { return ""; }
Result ncclAllReduce(const void*, void*, std::size_t, DataType, RedOp, Comm, Stream) {
  return kSuccess;
}
Result ncclAllGather(const void*, void*, std::size_t, DataType, Comm, Stream) { return kSuccess; }
Result ncclReduceScatter(const void*, void*, std::size_t, DataType, RedOp, Comm, Stream) {
  return kSuccess;
}
Result ncclBroadcast(const void*, void*, std::size_t, DataType, int, Comm, Stream) {
  return kSuccess;
}

}  // extern "C"

}  // namespace softcot::nccl
