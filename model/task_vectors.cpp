#include "model/task_vectors.h"

#include <ATen/Functions.h>

#include <vector>

#include "runtime/error.h"
#include "runtime/random.h"
#include "runtime/to_device.h"

namespace softcot {

TaskVectors TaskVectors::from_vocabulary(const Transformer& backbone, std::int64_t count,
                                         std::uint64_t seed) {
  RandomStream stream(seed, RandomPurpose::kInitialWeights, {0});
  std::vector<std::int64_t> ids;
  for (std::int64_t i = 0; i < count; ++i) {
    ids.push_back(static_cast<std::int64_t>(
        stream.below(static_cast<std::uint64_t>(backbone.config().vocabulary))));
  }
  return TaskVectors(backbone.embed(to_device(ids, backbone.device())));
}

TaskVectors TaskVectors::zeros(std::int64_t count, std::int64_t width) {
  return TaskVectors(at::zeros({count, width}, at::kFloat));
}

TaskVectors::TaskVectors(const at::Tensor& vectors)
    : vectors_(
          vectors.detach().to(at::kFloat, /*non_blocking=*/false, /*copy=*/true).contiguous()) {
  vectors_.set_requires_grad(true);
}

at::Tensor TaskVectors::repeat(std::int64_t rows, std::int64_t n) const {
  if (n > count()) {
    fail(ExitCode::kUsage, {.what = "more placeholders than trained vectors",
                            .where = "thoughts.eval-count",
                            .expected = "at most " + std::to_string(count()),
                            .got = std::to_string(n)});
  }
  return vectors_.narrow(0, 0, n).repeat({rows, 1});
}

}  // namespace softcot
