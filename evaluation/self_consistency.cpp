#include "evaluation/self_consistency.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "runtime/random.h"

namespace softcot {
namespace {

constexpr std::size_t kMostChoices = 256;   // Of k samples of a question, looked at one by one.
constexpr std::size_t kRandomOrders = 256;  // Of a question's samples, where there are more.

/// Counts the votes of chosen samples of one question. The leader is known after each vote, so a
/// vote takes constant time.
class VoteCount {
 public:
  VoteCount(std::span<const VotingAnswer> samples, VoteRule rule) : samples_(samples) {
    std::unordered_map<std::string_view, std::size_t> known;
    std::size_t without_answer = kNone;
    for (const VotingAnswer& sample : samples) {
      if (sample.answer) {
        const auto [place, is_new] = known.emplace(*sample.answer, candidates_.size());
        if (is_new) candidates_.push_back({});
        candidate_of_.push_back(place->second);
        continue;
      }
      if (rule == VoteRule::kReference && without_answer == kNone) {
        without_answer = candidates_.size();
        candidates_.push_back({.one_vote = true});
      }
      candidate_of_.push_back(without_answer);
    }
  }

  /// Forgets all votes, in time linear in their number.
  void clear() {
    for (const std::size_t index : voted_for_) {
      candidates_[index] = {.one_vote = candidates_[index].one_vote};
    }
    voted_for_.clear();
    leader_ = kNone;
  }

  /// The vote of sample `at`, once at most.
  void add(std::size_t at) {
    ++cast_;
    const std::size_t index = candidate_of_[at];
    if (index == kNone) return;
    Candidate& candidate = candidates_[index];
    if (candidate.votes == 0) voted_for_.push_back(index);
    candidate.votes = candidate.one_vote ? 1 : candidate.votes + 1;
    candidate.first = std::min(candidate.first, at);
    candidate.right = candidate.right || (!candidate.one_vote && samples_[at].correct);
    // Nobody else has gained, so the leader is the old one or this one.
    if (leader_ == kNone || candidate.beats(candidates_[leader_])) leader_ = index;
  }

  /// Whether the answer with most votes, of several the one given first, is right.
  bool is_right() const { return leader_ != kNone && candidates_[leader_].right; }

  /// Calls of add so far.
  std::size_t cast() const { return cast_; }

 private:
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  struct Candidate {
    bool one_vote = false;  // "No answer" under VoteRule::kReference.
    bool right = false;
    std::size_t votes = 0;
    std::size_t first = kNone;  // The lowest sample that voted for it.

    bool beats(const Candidate& other) const {
      return votes != other.votes ? votes > other.votes : first < other.first;
    }
  };

  std::span<const VotingAnswer> samples_;
  std::vector<Candidate> candidates_;
  std::vector<std::size_t> candidate_of_;  // By sample; kNone for no vote.
  std::vector<std::size_t> voted_for_;     // Candidates with a vote.
  std::size_t leader_ = kNone;
  std::size_t cast_ = 0;
};

/// C(n, k), or kMostChoices + 1 where it is more than kMostChoices.
std::size_t choices(std::size_t n, std::size_t k) {
  std::size_t count = 1;
  for (std::size_t i = 1; i <= std::min(k, n - k); ++i) {
    count = count * (n - i + 1) / i;  // C(n, i), which rises with i up to n / 2.
    if (count > kMostChoices) return kMostChoices + 1;
  }
  return count;
}

using Chosen = std::vector<std::size_t>;

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

double share_of_all_choices(VoteCount& votes, std::size_t n, std::size_t k) {
  Chosen chosen(k);
  std::iota(chosen.begin(), chosen.end(), 0);
  double right = 0;
  double all = 0;
  do {
    votes.clear();
    for (const std::size_t i : chosen) votes.add(i);
    right += votes.is_right() ? 1 : 0;
    ++all;
  } while (advance(chosen, n));
  return right / all;
}

/// For k = 1 … n: the share of random orders in which the vote of the first k samples is right.
std::vector<double> shares_of_random_orders(VoteCount& votes, std::size_t n, RandomStream stream) {
  std::vector<double> shares(n);
  Chosen order(n);
  std::iota(order.begin(), order.end(), 0);
  for (std::size_t round = 0; round < kRandomOrders; ++round) {
    votes.clear();
    for (std::size_t i = 0; i < n; ++i) {
      std::swap(order[i], order[i + stream.below(n - i)]);
      votes.add(order[i]);
      shares[i] += votes.is_right() ? 1 : 0;
    }
  }
  for (double& share : shares) share /= static_cast<double>(kRandomOrders);
  return shares;
}

/// majority of self_consistency for one question of n samples.
std::vector<double> majority_of(VoteCount& votes, std::size_t n, const RandomStream& stream) {
  std::vector<double> majority;
  std::vector<double> drawn;
  for (std::size_t k = 1; k <= n; ++k) {
    if (k == 1 || choices(n, k) <= kMostChoices) {
      majority.push_back(share_of_all_choices(votes, n, k));
      continue;
    }
    if (drawn.empty()) drawn = shares_of_random_orders(votes, n, stream);
    majority.push_back(drawn[k - 1]);
  }
  return majority;
}

void add_to(std::vector<double>& sums, const std::vector<double>& values) {
  std::transform(sums.begin(), sums.end(), values.begin(), sums.begin(), std::plus<>());
}

}  // namespace

bool vote_is_right(std::span<const VotingAnswer> samples, VoteRule rule) {
  VoteCount votes(samples, rule);
  for (std::size_t i = 0; i < samples.size(); ++i) votes.add(i);
  return votes.is_right();
}

SelfConsistency self_consistency(std::span<const std::vector<VotingAnswer>> questions,
                                 VoteRule rule, std::uint64_t seed, std::size_t* votes_cast) {
  SelfConsistency result;
  if (questions.empty()) return result;
  const std::size_t n = questions[0].size();
  result.majority.resize(n);
  result.pass.resize(n);
  std::size_t cast = 0;
  for (std::size_t q = 0; q < questions.size(); ++q) {
    const auto& samples = questions[q];
    VoteCount votes(samples, rule);
    add_to(result.majority,
           majority_of(votes, n, RandomStream(seed, RandomPurpose::kBootstrap, {q})));
    const auto correct = static_cast<std::size_t>(
        std::count_if(samples.begin(), samples.end(), [](const auto& s) { return s.correct; }));
    add_to(result.pass, pass_at_each_k(n, correct));
    cast += votes.cast();
  }
  for (double& share : result.majority) share /= static_cast<double>(questions.size());
  for (double& share : result.pass) share /= static_cast<double>(questions.size());
  if (votes_cast != nullptr) *votes_cast = cast;
  return result;
}

}  // namespace softcot
