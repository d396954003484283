#include "trainer/replica_check.h"

#include <ATen/Functions.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <string_view>

#include "runtime/error.h"
#include "runtime/hash.h"

namespace softcot {
namespace {

std::int64_t hash_of(const at::Tensor& tensor) {
  const auto host = tensor.detach().to(at::kCPU).contiguous();
  const std::string_view bytes(static_cast<const char*>(host.const_data_ptr()), host.nbytes());
  return static_cast<std::int64_t>(hash_number(bytes));
}

/// The first place that differs from what most of `hashes` are; nothing where all are equal.
std::optional<std::size_t> odd_one(const std::vector<std::int64_t>& hashes) {
  const auto most = *std::max_element(hashes.begin(), hashes.end(), [&](auto a, auto b) {
    return std::count(hashes.begin(), hashes.end(), a) <
           std::count(hashes.begin(), hashes.end(), b);
  });
  const auto odd = std::find_if(hashes.begin(), hashes.end(), [&](auto h) { return h != most; });
  if (odd == hashes.end()) return std::nullopt;
  return odd - hashes.begin();
}

/// Over one group, whose world ranks are `ranks`.
void require_same(const std::vector<const Parameter*>& parameters, Communicator& group,
                  const std::vector<int>& ranks) {
  if (group.size() == 1 || parameters.empty()) return;
  std::vector<std::int64_t> mine;
  for (const Parameter* parameter : parameters) mine.push_back(hash_of(parameter->value));
  const auto all = group.all_gather(at::tensor(mine, at::kLong).unsqueeze(0));
  for (std::size_t p = 0; p < parameters.size(); ++p) {
    const auto column = all.select(1, static_cast<std::int64_t>(p)).contiguous();
    const auto* data = column.const_data_ptr<std::int64_t>();
    const auto odd = odd_one({data, data + column.numel()});
    if (!odd) continue;
    fail(ExitCode::kNumerics,
         {.what = "ranks that must hold the same hold other bits",
          .where = fmt::format("rank {}, tensor {}", ranks[*odd], parameters[p]->name),
          .expected = fmt::format("that of ranks {}", fmt::join(ranks, ", ")),
          .fix = "go on from the last checkpoint with --resume; if it comes again, leave that "
                 "rank's node out"});
  }
}

}  // namespace

void require_same_replicas(const std::vector<Parameter>& parameters, const ProcessGroups& groups) {
  std::vector<const Parameter*> whole, all;
  for (const Parameter& parameter : parameters) {
    all.push_back(&parameter);
    if (parameter.tp != TpGradient::kOwn) whole.push_back(&parameter);
  }
  const int me = groups.world->rank();
  require_same(whole, *groups.tp, groups.mesh.tp_group(me));
  require_same(all, *groups.dp, groups.mesh.dp_group(me));
}

}  // namespace softcot
