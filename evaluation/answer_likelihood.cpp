#include "evaluation/answer_likelihood.h"

#include <ATen/Functions.h>
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
    bool wanted = false;
    std::size_t end = begin;
    for (; end < requests.size(); ++end) {
      tokens += static_cast<std::int64_t>(requests[end].row.ids.size());
      if (end > begin && tokens > batch_tokens) break;
      wanted = wanted || requests[end].wanted;
      rows.push_back(requests[end].row);
      if (requests[end].soft.defined()) soft.push_back(requests[end].soft);
    }
    if (wanted) {
      const auto nll = model.score(rows, soft.empty() ? at::Tensor() : at::cat(soft))
                           .nll.to(at::kCPU, at::kDouble);
      std::int64_t at = 0;
      for (std::size_t i = begin; i < end; ++i) {
        const auto targets = requests[i].row.targets();
        if (requests[i].wanted) done(i, {nll.narrow(0, at, targets).sum().item<double>(), targets});
        at += targets;
      }
    }
    begin = end;
  }
}

}  // namespace softcot
