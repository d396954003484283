// Which device ranks take where drivers show GPUs, none, or an error: the stand-in for the driver,
// in a program that has a guard for CUDA devices as a build with CUDA has.
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "launch/machine/device_choice.h"
#include "runtime/host_name.h"
#include "runtime/log.h"
#include "support/world.h"

namespace softcot::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

thread_local at::DeviceIndex current = 0;

class CudaGuard final : public c10::impl::DeviceGuardImplInterface {
 public:
  at::DeviceType type() const override { return at::kCUDA; }
  at::Device getDevice() const override { return {at::kCUDA, current}; }
  at::Device exchangeDevice(at::Device device) const override {
    const at::Device before = getDevice();
    setDevice(device);
    return before;
  }
  void setDevice(at::Device device) const override { current = device.index(); }
  void uncheckedSetDevice(at::Device device) const noexcept override { current = device.index(); }
  c10::Stream getStream(at::Device device) const override {
    return c10::Stream(c10::Stream::DEFAULT, device);
  }
  c10::Stream exchangeStream(c10::Stream stream) const override { return stream; }
  at::DeviceIndex deviceCount() const noexcept override { return 8; }
};

C10_REGISTER_GUARD_IMPL(CUDA, CudaGuard);

class DeviceChoiceTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    dlopen(SOFTCOT_CUDA_STAND_IN_FOLDER "/libcuda.so.1", RTLD_NOW);  // By its name from now on.
  }
  DeviceChoiceTest() {
    unsetenv("CUDA_VISIBLE_DEVICES");
    show("8");
  }

  static void show(const std::string& gpus, const std::string& error = "0") {
    setenv("SOFTCOT_STAND_IN_GPUS", gpus.c_str(), 1);
    setenv("SOFTCOT_STAND_IN_CUDA_ERROR", error.c_str(), 1);
  }
  /// What the choice is refused with; every rank is refused.
  static std::string refusal(DeviceChoice choice) {
    try {
      choose_device(world(), choice);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kResources);
      return error.what();
    }
    return "not refused";
  }
  static int last() { return world().size() - 1; }
  static std::string last_rank() { return "rank " + std::to_string(last()) + " on " + host_name(); }
};

TEST_F(DeviceChoiceTest, EveryRankHasAGpuOfItsOwnAndItIsCurrent) {
  for (const auto choice : {DeviceChoice::kAuto, DeviceChoice::kCuda}) {
    const at::Device device = choose_device(world(), choice);
    EXPECT_EQ(device, at::Device(at::kCUDA, static_cast<at::DeviceIndex>(world().rank())));
    EXPECT_EQ(current, world().rank());
  }
  EXPECT_TRUE(choose_device(world(), DeviceChoice::kCpu).is_cpu());
}

TEST_F(DeviceChoiceTest, ADriversErrorIsNeverTakenForNoGpu) {
  for (const auto choice : {DeviceChoice::kAuto, DeviceChoice::kCuda}) {
    show("8", std::to_string(last()) + ":802");  // On the last rank alone.
    EXPECT_THAT(refusal(choice),
                AllOf(HasSubstr("NVIDIA's driver shows no GPU"),
                      HasSubstr("cuInit: error 802, system not ready"), HasSubstr(last_rank()),
                      HasSubstr("nvidia-fabricmanager"), HasSubstr("--parallel.device cpu")));
    show("8", "803");
    EXPECT_THAT(refusal(choice), HasSubstr("error 803, driver and its library differ"));
    show("8", "999");
    EXPECT_THAT(refusal(choice), HasSubstr("error 999, unknown error"));
    show("8", "205");
    EXPECT_THAT(refusal(choice), HasSubstr("error 205"));
  }
  show("8", "802");
  EXPECT_TRUE(choose_device(world(), DeviceChoice::kCpu).is_cpu());
}

TEST_F(DeviceChoiceTest, ComputesOnCpusOnlyWhereNoRankSeesAGpuAndWarns) {
  for (const char* error : {"0", "100"}) {  // None shown, or "no device".
    show(std::string(error) == "0" ? "0" : "8", error);
    ::testing::internal::CaptureStderr();
    EXPECT_TRUE(choose_device(world(), DeviceChoice::kAuto).is_cpu());
    const std::string log = ::testing::internal::GetCapturedStderr();
    EXPECT_THAT(log, world().rank() == 0 ? testing::Matcher<std::string>(AllOf(
                                               HasSubstr(" W "), HasSubstr("computing on CPUs")))
                                         : testing::Matcher<std::string>(Not(HasSubstr("CPU"))));
    EXPECT_THAT(refusal(DeviceChoice::kCuda), HasSubstr("no GPU"));
  }
}

TEST_F(DeviceChoiceTest, SomeRanksWithoutAGpuAreNamed) {
  if (world().size() == 1) return;  // A rank alone has no others.
  if (world().rank() == last()) show("0");
  for (const auto choice : {DeviceChoice::kAuto, DeviceChoice::kCuda}) {
    EXPECT_THAT(refusal(choice), AllOf(HasSubstr("no GPU for some ranks"), HasSubstr(last_rank()),
                                       Not(HasSubstr("rank 0 "))));
  }
}

TEST_F(DeviceChoiceTest, MoreRanksThanGpusAreRefused) {
  if (world().size() == 1) return;
  show(std::to_string(last()));
  EXPECT_THAT(refusal(DeviceChoice::kAuto), HasSubstr("more ranks than GPUs on a machine"));
}

}  // namespace
}  // namespace softcot::test
