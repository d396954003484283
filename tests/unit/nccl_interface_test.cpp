// Our own words for NCCL's types against those of its header, where that is installed.
#include <gtest/gtest.h>

#include <cstddef>

#include "runtime/nccl_library.h"

#if __has_include(<nccl.h>) && __has_include(<cuda_runtime.h>)
#include <nccl.h>

namespace softcot::test {
namespace {

template <typename Ours, typename Theirs>
constexpr bool same(Ours ours, Theirs theirs) {
  return static_cast<int>(ours) == static_cast<int>(theirs);
}

static_assert(sizeof(nccl::UniqueId) == sizeof(ncclUniqueId));
static_assert(sizeof(nccl::Result) == sizeof(ncclResult_t));
static_assert(sizeof(nccl::DataType) == sizeof(ncclDataType_t));
static_assert(sizeof(nccl::RedOp) == sizeof(ncclRedOp_t));
static_assert(sizeof(nccl::Stream) == sizeof(cudaStream_t));
static_assert(offsetof(nccl::Config, size) == offsetof(ncclConfig_t, size));
static_assert(offsetof(nccl::Config, magic) == offsetof(ncclConfig_t, magic));
static_assert(offsetof(nccl::Config, version) == offsetof(ncclConfig_t, version));
static_assert(offsetof(nccl::Config, blocking) == offsetof(ncclConfig_t, blocking));
static_assert(sizeof(nccl::Config) <= sizeof(ncclConfig_t));
static_assert(same(nccl::kSuccess, ncclSuccess) && same(nccl::kSystemError, ncclSystemError) &&
              same(nccl::kInvalidArgument, ncclInvalidArgument) &&
              same(nccl::kRemoteError, ncclRemoteError) && same(nccl::kInProgress, ncclInProgress));
static_assert(same(nccl::kUint8, ncclUint8) && same(nccl::kInt64, ncclInt64) &&
              same(nccl::kFloat32, ncclFloat32) && same(nccl::kFloat64, ncclFloat64) &&
              same(nccl::kBfloat16, ncclBfloat16));
static_assert(same(nccl::kSum, ncclSum) && same(nccl::kMax, ncclMax) && same(nccl::kMin, ncclMin));

// Every function takes what its counterpart takes.
template <typename Function>
constexpr std::size_t parameters = 0;
template <typename Result, typename... Parameters>
constexpr std::size_t parameters<Result (*)(Parameters...)> = (sizeof(Parameters) + ... +
                                                               (100 * sizeof...(Parameters)));

using F = nccl::Functions;
#define SOFTCOT_SAME(name) \
  static_assert(parameters<decltype(F::name)> == parameters<decltype(&nccl##name)>)
SOFTCOT_SAME(GetVersion);
SOFTCOT_SAME(GetUniqueId);
SOFTCOT_SAME(CommInitRankConfig);
SOFTCOT_SAME(CommFinalize);
SOFTCOT_SAME(CommDestroy);
SOFTCOT_SAME(CommAbort);
SOFTCOT_SAME(CommGetAsyncError);
SOFTCOT_SAME(GetErrorString);
SOFTCOT_SAME(GetLastError);
SOFTCOT_SAME(GroupStart);
SOFTCOT_SAME(GroupEnd);
SOFTCOT_SAME(AllReduce);
SOFTCOT_SAME(AllGather);
SOFTCOT_SAME(ReduceScatter);
SOFTCOT_SAME(Broadcast);
#undef SOFTCOT_SAME

TEST(NcclInterface, IsThatOfItsHeader) {
  const ncclConfig_t theirs = NCCL_CONFIG_INITIALIZER;
  const nccl::Config ours;
  EXPECT_EQ(ours.magic, theirs.magic);
  EXPECT_EQ(ours.blocking, theirs.blocking);
  EXPECT_LE(ours.version, theirs.version);
  EXPECT_EQ(theirs.size, sizeof theirs);
}

}  // namespace
}  // namespace softcot::test

#else

TEST(NcclInterface, IsThatOfItsHeader) { GTEST_SKIP() << "no nccl.h and cuda_runtime.h here"; }

#endif
