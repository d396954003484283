#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "evaluation/statistics.h"

namespace softcot {

/// A sample's answer as an extractor read it.
struct VotingAnswer {
  std::optional<std::string> answer;
  bool correct = false;
};

/// What voting among k samples gives (Wang et al., 2023), for k = 1 … K, out of the same K samples
/// of each question: index k - 1.
struct SelfConsistency {
  std::vector<double> majority;  ///< Share of questions whose majority vote is right.
  std::vector<double> pass;      ///< Share of questions with a right sample among k (pass@k).
};

/// Whether the majority vote of the samples, in their order, is right.
bool vote_is_right(std::span<const VotingAnswer> samples, VoteRule rule);

/// Each question has the same number K ≥ 1 of samples, in the order in which they were drawn.
/// majority[k - 1] is the mean over all choices of k samples of a question, kept in their order,
/// where these are at most 256 (so for K ≤ 10), else over 256 seeded draws. Pure.
SelfConsistency self_consistency(std::span<const std::vector<VotingAnswer>> questions,
                                 VoteRule rule, std::uint64_t seed);

}  // namespace softcot
