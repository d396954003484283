#include "evaluation/self_consistency.h"

#include <algorithm>
#include <numeric>

#include "runtime/random.h"

namespace softcot {
namespace {

constexpr std::size_t kMostChoices = 256;  // Of k samples, for each question and k.

using Chosen = std::vector<std::size_t>;

/// k of n in rising order, each set equally likely.
Chosen draw(std::size_t k, std::size_t n, RandomStream& stream) {
  Chosen all(n);
  std::iota(all.begin(), all.end(), 0);
  for (std::size_t i = 0; i < k; ++i) std::swap(all[i], all[i + stream.below(n - i)]);
  all.resize(k);
  std::sort(all.begin(), all.end());
  return all;
}

/// The next k of n in lexical order; false after the last.
bool advance(Chosen& chosen, std::size_t n) {
  for (std::size_t i = chosen.size(); i-- > 0;) {
    if (chosen[i] == n - chosen.size() + i) continue;
    ++chosen[i];
    for (std::size_t j = i + 1; j < chosen.size(); ++j) chosen[j] = chosen[j - 1] + 1;
    return true;
  }
  return false;
}

/// All choices of k out of n if they are few enough, else so many drawn ones.
std::vector<Chosen> choices(std::size_t k, std::size_t n, RandomStream stream) {
  std::vector<Chosen> all;
  Chosen next(k);
  std::iota(next.begin(), next.end(), 0);
  do {
    all.push_back(next);
  } while (all.size() <= kMostChoices && advance(next, n));
  if (all.size() <= kMostChoices) return all;
  all.clear();
  while (all.size() < kMostChoices) all.push_back(draw(k, n, stream));
  return all;
}

double majority_of(const std::vector<VotingAnswer>& samples, std::size_t k, VoteRule rule,
                   const RandomStream& stream) {
  const auto all = choices(k, samples.size(), stream);
  double right = 0;
  for (const Chosen& chosen : all) {
    std::vector<VotingAnswer> votes;
    for (const std::size_t i : chosen) votes.push_back(samples[i]);
    right += vote_is_right(votes, rule) ? 1 : 0;
  }
  return right / static_cast<double>(all.size());
}

}  // namespace

bool vote_is_right(std::span<const VotingAnswer> samples, VoteRule rule) {
  std::vector<std::optional<std::string>> answers;
  for (const VotingAnswer& sample : samples) answers.push_back(sample.answer);
  const Vote vote = majority_vote(answers, std::equal_to<>(), rule);
  if (!vote.answer) return false;
  return std::any_of(samples.begin(), samples.end(), [&](const VotingAnswer& sample) {
    return sample.answer == vote.answer && sample.correct;
  });
}

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
      majority +=
          majority_of(samples, k, rule, RandomStream(seed, RandomPurpose::kBootstrap, {q, k}));
      pass += pass_at_k(most, correct, k);
    }
    result.majority.push_back(majority / static_cast<double>(questions.size()));
    result.pass.push_back(pass / static_cast<double>(questions.size()));
  }
  return result;
}

}  // namespace softcot
