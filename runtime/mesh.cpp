#include "runtime/mesh.h"

#include <fmt/format.h>

#include "runtime/error.h"

namespace softcot {

Mesh Mesh::make(int world, int tp) {
  if (tp < 1 || world % tp != 0) {
    fail(ExitCode::kUsage, {.what = "number of ranks is not dp × tp",
                            .where = "parallel.tp",
                            .expected = fmt::format("a divisor of the {} ranks started", world),
                            .got = fmt::format("tp {}", tp),
                            .fix = "start a multiple of tp ranks, or change --parallel.tp"});
  }
  return {world / tp, tp};
}

std::vector<int> Mesh::tp_group(int rank) const {
  std::vector<int> ranks;
  for (int i = 0; i < tp_; ++i) ranks.push_back(dp_index(rank) * tp_ + i);
  return ranks;
}

std::vector<int> Mesh::dp_group(int rank) const {
  std::vector<int> ranks;
  for (int i = 0; i < dp_; ++i) ranks.push_back(i * tp_ + tp_index(rank));
  return ranks;
}

std::string Mesh::describe() const { return fmt::format("dp {} × tp {}", dp_, tp_); }

}  // namespace softcot
