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

/// Each question has the same number K ≥ 1 of samples, in the order in which they were drawn.
/// majority[K - 1] is the vote of them all and majority[0] the mean accuracy; between them it is
/// the mean over seeded draws of k samples a question, kept in their order. Pure.
SelfConsistency self_consistency(std::span<const std::vector<VotingAnswer>> questions,
                                 VoteRule rule, std::uint64_t seed);

}  // namespace softcot
