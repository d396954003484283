#include "launch/run/thought_table.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace softcot {
namespace {

constexpr std::int64_t kNeighbours = 5;

/// In quotes, with what cannot be printed escaped; the number of a token without a text.
std::string quoted(const Tokenizer& tokenizer, std::int64_t id) {
  const std::string text = tokenizer.decode(std::span(&id, 1));
  if (text.empty()) return fmt::format("#{}", id);
  return nlohmann::json(text).dump();
}

}  // namespace

ThoughtTable describe_thoughts(const Transformer& model, const at::Tensor& soft) {
  ThoughtTable table{model.nearest(soft, kNeighbours), {}};
  const auto norms = soft.to(at::kCPU, at::kDouble).norm(2, {1});
  for (std::int64_t i = 0; i < norms.size(0); ++i) {
    table.norm_ratio.push_back(norms[i].item<double>() / table.nearest.mean_norm);
  }
  return table;
}

std::string format_thoughts(const ThoughtTable& table, const Tokenizer& tokenizer) {
  const auto ids = table.nearest.ids.cpu();
  const auto similarity = table.nearest.similarity.cpu();
  std::string out = "thought    norm   nearest tokens (cosine similarity)\n";
  for (std::int64_t i = 0; i < ids.size(0); ++i) {
    out += fmt::format("{:7}  {:5.2f}x  ", i + 1, table.norm_ratio[static_cast<std::size_t>(i)]);
    for (std::int64_t j = 0; j < ids.size(1); ++j) {
      out += fmt::format(" {} {:.2f}", quoted(tokenizer, ids[i][j].item<std::int64_t>()),
                         similarity[i][j].item<double>());
    }
    out += "\n";
  }
  return out + fmt::format(
                   "norm: in mean norms of a token's embedding ({:.3g}). Soft thoughts are seldom "
                   "readable:\nthe nearest tokens are what they resemble most, which is often "
                   "little (a cosine near 0).\n",
                   table.nearest.mean_norm);
}

}  // namespace softcot
