#include "runtime/side_stream.h"

#include <c10/core/Event.h>
#include <c10/core/Stream.h>
#include <c10/core/impl/VirtualGuardImpl.h>

namespace softcot {
namespace {

class HostStream final : public SideStream {
 public:
  void* handle() const override { return nullptr; }
  void follow_current() override {}
  std::function<bool()> lead_current() override {
    return [] { return true; };
  }
};

/// Through LibTorch's interface that all devices share: no header of CUDA is needed to build it.
class DeviceStream final : public SideStream {
 public:
  explicit DeviceStream(c10::Device device)
      : device_(device), library_(device.type()), stream_(library_.getNewStream(device)) {}

  void* handle() const override { return stream_.native_handle(); }

  void follow_current() override {
    c10::Event before(device_.type());
    before.record(library_.getStream(device_));
    before.block(stream_);
  }

  std::function<bool()> lead_current() override {
    const auto after = std::make_shared<c10::Event>(device_.type());
    after->record(stream_);
    after->block(library_.getStream(device_));
    return [after] { return after->query(); };
  }

 private:
  c10::Device device_;
  c10::impl::VirtualGuardImpl library_;
  c10::Stream stream_;
};

}  // namespace

std::unique_ptr<SideStream> SideStream::on(c10::Device device) {
  if (device.is_cpu()) return std::make_unique<HostStream>();
  return std::make_unique<DeviceStream>(device);
}

}  // namespace softcot
