#pragma once

#include <c10/core/Device.h>

#include <functional>
#include <memory>

namespace softcot {

/// A queue of work beside the one that tensors of a device are computed in, and its order with that
/// one. Nothing here makes the host wait. On the host itself work is done when its call returns, so
/// that there is no queue and nothing to order.
class SideStream {
 public:
  static std::unique_ptr<SideStream> on(c10::Device device);
  virtual ~SideStream() = default;

  /// The device's own handle: a cudaStream_t; null on the host.
  virtual void* handle() const = 0;
  /// What is put in here from now on runs after all that the current stream was given before.
  virtual void follow_current() = 0;
  /// What the current stream is given from now on runs after all that was put in here. Returns a
  /// question, safe on any thread: has the device come that far?
  virtual std::function<bool()> lead_current() = 0;
};

}  // namespace softcot
