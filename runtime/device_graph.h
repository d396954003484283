#pragma once

#include <c10/core/Device.h>

#include <functional>
#include <memory>

namespace softcot {

/// Work on a device that is recorded once and then repeated at the cost of one call: a CUDA graph.
class DeviceGraph {
 public:
  virtual ~DeviceGraph() = default;

  /// Does `work` twice, so that everything it needs is there, and records it a third time. It may
  /// not wait for the device or bring anything from the host; tensors that it reads must stay where
  /// they are, and those that it makes stay, with the graph, until the next replay() overwrites
  /// them. Local: no collective may be in it.
  virtual void record(const std::function<void()>& work) = 0;

  /// Does the recorded work again in the current stream. Does not wait for it.
  virtual void replay() = 0;

  /// Null where nothing can be recorded: on the host, in a build without CUDA.
  static std::unique_ptr<DeviceGraph> make(c10::Device device);
};

}  // namespace softcot
