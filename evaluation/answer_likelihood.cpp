#include "evaluation/answer_likelihood.h"

#include <ATen/core/grad_mode.h>

namespace softcot {

void answer_likelihoods(const SoftPromptModel& model,
                        const std::vector<LikelihoodRequest>& requests, std::int64_t batch_tokens,
                        const std::function<void(std::size_t, const AnswerLikelihood&)>& done) {
  const at::NoGradGuard no_grad;
  for (std::size_t begin = 0; begin < requests.size();) {
    std::vector<SoftRow> rows;
    std::vector<at::Tensor> soft;
    std::int64_t tokens = 0;
    std::size_t end = begin;
    for (; end < requests.size(); ++end) {
      tokens += static_cast<std::int64_t>(requests[end].row.ids.size());
      if (end > begin && tokens > batch_tokens) break;
      rows.push_back(requests[end].row);
      if (requests[end].soft.defined()) soft.push_back(requests[end].soft);
    }
    const auto nll = model.score(rows, soft.empty() ? at::Tensor() : at::cat(soft))
                         .nll.to(at::kCPU, at::kDouble);
    std::int64_t at = 0;
    for (const auto& row : rows) {
      const std::int64_t targets = row.targets();
      done(begin++, {nll.narrow(0, at, targets).sum().item<double>(), targets});
      at += targets;
    }
  }
}

}  // namespace softcot
