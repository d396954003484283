// The groups of ranks whose device is number 3 of a made-up kind, through the stand-in for NCCL:
// which thread has which device as its current one whenever it uses events, streams or NCCL.
#include <ATen/ATen.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "runtime/current_device.h"
#include "runtime/error.h"
#include "support/world.h"

namespace softcot::test {
namespace {

constexpr at::DeviceType kKind = at::DeviceType::PrivateUse1;
const at::Device kDevice(kKind, 3);

struct Call {
  std::string name;
  std::thread::id thread;
  int device;  // The thread's current one.
};

thread_local int current = 0;  // As in CUDA: that of a new thread.
std::mutex mutex;
std::vector<Call> calls;

void note(const std::string& name) {
  const std::lock_guard lock(mutex);
  calls.push_back({name, std::this_thread::get_id(), current});
}

struct Event {
  int queries = 0;
};

/// Changes the current device where CUDA's does; the first query of an event finds it not done.
class NotingGuard final : public c10::impl::DeviceGuardImplInterface {
 public:
  at::DeviceType type() const override { return kKind; }
  at::Device getDevice() const override { return {kKind, static_cast<at::DeviceIndex>(current)}; }
  at::Device exchangeDevice(at::Device device) const override {
    const at::Device before = getDevice();
    setDevice(device);
    return before;
  }
  void setDevice(at::Device device) const override { uncheckedSetDevice(device); }
  void uncheckedSetDevice(at::Device device) const noexcept override {
    current = device.index();
    note("set");
  }
  c10::Stream getStream(at::Device device) const override {
    return c10::Stream(c10::Stream::UNSAFE, device, 0);
  }
  c10::Stream getNewStream(at::Device device, int) const override {
    return c10::Stream(c10::Stream::UNSAFE, device, 1);
  }
  void* getStreamNativeHandle(const c10::Stream) const override { return nullptr; }
  c10::Stream exchangeStream(c10::Stream stream) const override { return stream; }
  at::DeviceIndex deviceCount() const noexcept override { return 8; }

  void record(void** event, const c10::Stream& stream, const at::DeviceIndex,
              const c10::EventFlag) const override {
    const at::Device before = exchangeDevice(stream.device());
    if (*event == nullptr) *event = new Event;
    note("record");
    exchangeDevice(before);
  }
  void block(void*, const c10::Stream& stream) const override {
    const at::Device before = exchangeDevice(stream.device());
    note("block");
    exchangeDevice(before);
  }
  bool queryEvent(void* event) const override {
    note("query");
    return ++static_cast<Event*>(event)->queries > 1;
  }
  void destroyEvent(void* event, const at::DeviceIndex index) const noexcept override {
    const at::Device before = exchangeDevice({kKind, index});
    note("destroy");
    exchangeDevice(before);
    delete static_cast<Event*>(event);
  }
};

C10_REGISTER_GUARD_IMPL(PrivateUse1, NotingGuard);

/// One of the fake device, in the host's memory, which the stand-in moves.
at::Tensor on_device(std::vector<float>& numbers) {
  return at::for_blob(numbers.data(), {static_cast<std::int64_t>(numbers.size())})
      .options(at::device(kDevice).dtype(at::kFloat))
      .target_device(kDevice)
      .make_tensor();
}

class NcclDevice : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    setenv("SOFTCOT_NCCL_LIBRARY", SOFTCOT_NCCL_STAND_IN, 1);
    void* library = dlopen(SOFTCOT_NCCL_STAND_IN, RTLD_NOW);
    *static_cast<void (**)()>(dlsym(library, "softcot_nccl_on_abort")) = [] { note("abort"); };
    set_current_device(kDevice);
    world().set_device(kDevice);
    world().use_nccl("");
    groups_ = std::make_unique<ProcessGroups>(ProcessGroups::make(world(), world().size()));
  }
  static void TearDownTestSuite() { groups_.reset(); }

  /// The threads that made such a call, all of them with this rank's device.
  static std::set<std::thread::id> threads_of(const std::string& name) {
    const std::lock_guard lock(mutex);
    std::set<std::thread::id> threads;
    for (const Call& call : calls) {
      if (call.name == name) threads.insert(call.thread);
    }
    return threads;
  }
  static void expect_own_device() {
    const std::lock_guard lock(mutex);
    for (const Call& call : calls) EXPECT_EQ(call.device, kDevice.index()) << call.name;
  }

  static std::unique_ptr<ProcessGroups> groups_;
};

std::unique_ptr<ProcessGroups> NcclDevice::groups_;

TEST_F(NcclDevice, EveryThreadHasTheRanksDevice) {
  std::vector<float> numbers(4, 1);
  at::Tensor sum = on_device(numbers);
  for (int i = 0; i < 20; ++i) {
    groups_->tp->all_reduce(sum, ReduceOp::kMax);
    groups_->tp->barrier();
  }
  EXPECT_EQ(numbers, std::vector<float>(4, 1));
  const auto owner = std::this_thread::get_id();
  for (const char* name : {"query", "destroy"}) {
    EXPECT_EQ(threads_of(name).size(), 2U) << name << ": the owner's and the watchdog's";
    EXPECT_TRUE(threads_of(name).contains(owner)) << name;
  }
  EXPECT_EQ(threads_of("record"), std::set{owner});
  EXPECT_EQ(threads_of("block"), std::set{owner});
  expect_own_device();
}

// Sums of floating-point numbers belong on the device: through the host they would be slow, and
// would not be what was to be measured.
TEST_F(NcclDevice, RefusesLargeHostTensors) {
  const std::int64_t most = (1 << 20) / 4;
  auto small = at::ones({most});
  groups_->tp->all_reduce(small, ReduceOp::kSum);
  EXPECT_EQ(small[0].item<int>(), world().size());
  auto text = at::zeros({8 * most}, at::kByte);  // What is no number may have any length.
  groups_->tp->broadcast(text, 0);
  auto large = at::ones({most + 1});
  const auto expect_refused = [](const auto& collective) {
    try {
      collective();
      FAIL() << "it was moved through the host";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kInternal);
      EXPECT_NE(std::string(error.what()).find("privateuseone:3"), std::string::npos)
          << error.what();
    }
  };
  expect_refused([&] { groups_->tp->all_reduce(large, ReduceOp::kSum); });
  expect_refused([&] { groups_->tp->all_gather(large); });
  expect_refused([&] { groups_->tp->reduce_scatter(large); });
  expect_refused([&] { groups_->tp->broadcast(large, 0); });
}

// The last test: afterwards the groups cannot be used.
TEST_F(NcclDevice, AbortsHaveTheRanksDevice) {
  world().world_group()->barrier();
  std::vector<float> numbers(4, 1);
  at::Tensor sum = on_device(numbers);
  setenv("SOFTCOT_STAND_IN_NCCL", "async-error", 1);
  EXPECT_THROW(groups_->tp->all_reduce(sum, ReduceOp::kSum), Error);
  EXPECT_FALSE(threads_of("abort").empty());
  EXPECT_FALSE(threads_of("abort").contains(std::this_thread::get_id()));
  expect_own_device();
}

}  // namespace
}  // namespace softcot::test
