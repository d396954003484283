#include "runtime/device_graph.h"

#ifdef SOFTCOT_WITH_CUDA
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAGuard.h>
#endif

namespace softcot {

#ifdef SOFTCOT_WITH_CUDA
namespace {

class CudaGraph final : public DeviceGraph {
 public:
  void record(const std::function<void()>& work) override {
    c10::cuda::getCurrentCUDAStream().synchronize();
    // Recording needs a stream of its own.
    const auto stream = c10::cuda::getStreamFromPool();
    const c10::cuda::CUDAStreamGuard guard(stream);
    work();
    work();
    stream.synchronize();
    // Other threads may ask the device for events meanwhile: NCCL's watchdog does.
    graph_.capture_begin({0, 0}, cudaStreamCaptureModeThreadLocal);
    work();
    graph_.capture_end();
  }

  void replay() override { graph_.replay(); }

 private:
  at::cuda::CUDAGraph graph_;
};

}  // namespace
#endif

std::unique_ptr<DeviceGraph> DeviceGraph::make([[maybe_unused]] c10::Device device) {
#ifdef SOFTCOT_WITH_CUDA
  if (device.is_cuda()) return std::make_unique<CudaGraph>();
#endif
  return nullptr;
}

}  // namespace softcot
