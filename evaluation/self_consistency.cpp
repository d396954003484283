#include "evaluation/self_consistency.h"

#include <algorithm>
#include <numeric>

#include "runtime/random.h"

namespace softcot {
namespace {

constexpr int kDraws = 100;  // Of k samples, for each question and k.

bool vote_is_right(const std::vector<VotingAnswer>& samples,
                   const std::vector<std::size_t>& chosen, VoteRule rule) {
  std::vector<std::optional<std::string>> answers;
  for (const auto i : chosen) answers.push_back(samples[i].answer);
  const Vote vote = majority_vote(answers, std::equal_to<>(), rule);
  if (!vote.answer) return false;
  return std::any_of(chosen.begin(), chosen.end(), [&](std::size_t i) {
    return samples[i].answer == vote.answer && samples[i].correct;
  });
}

/// k of n in rising order, each set equally likely.
std::vector<std::size_t> draw(std::size_t k, std::size_t n, RandomStream& stream) {
  std::vector<std::size_t> all(n);
  std::iota(all.begin(), all.end(), 0);
  for (std::size_t i = 0; i < k; ++i) std::swap(all[i], all[i + stream.below(n - i)]);
  all.resize(k);
  std::sort(all.begin(), all.end());
  return all;
}

double majority_of(const std::vector<VotingAnswer>& samples, std::size_t k, VoteRule rule,
                   RandomStream stream) {
  const std::size_t n = samples.size();
  if (k == n) return vote_is_right(samples, draw(n, n, stream), rule) ? 1 : 0;
  double right = 0;
  if (k == 1) {
    for (std::size_t i = 0; i < n; ++i) right += vote_is_right(samples, {i}, rule) ? 1 : 0;
    return right / static_cast<double>(n);
  }
  for (int d = 0; d < kDraws; ++d) {
    right += vote_is_right(samples, draw(k, n, stream), rule) ? 1 : 0;
  }
  return right / kDraws;
}

}  // namespace

SelfConsistency self_consistency(std::span<const std::vector<VotingAnswer>> questions,
                                 VoteRule rule, std::uint64_t seed) {
  SelfConsistency result;
  if (questions.empty()) return result;
  const std::size_t most = questions[0].size();
  for (std::size_t k = 1; k <= most; ++k) {
    double majority = 0, pass = 0;
    for (std::size_t q = 0; q < questions.size(); ++q) {
      const auto& samples = questions[q];
      const auto correct = static_cast<std::size_t>(
          std::count_if(samples.begin(), samples.end(), [](const auto& s) { return s.correct; }));
      majority += majority_of(samples, k, rule,
                              RandomStream(seed, RandomPurpose::kBootstrap, {q, k}));
      pass += pass_at_k(most, correct, k);
    }
    result.majority.push_back(majority / static_cast<double>(questions.size()));
    result.pass.push_back(pass / static_cast<double>(questions.size()));
  }
  return result;
}

}  // namespace softcot
