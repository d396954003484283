#pragma once

#include <cstddef>
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

/// Whether the majority vote of the samples is right. Answers are the same where their texts are; a
/// tie goes to the answer that was given first. Linear time.
bool vote_is_right(std::span<const VotingAnswer> samples, VoteRule rule);

/// Each question has the same number K ≥ 1 of samples, in the order in which they were drawn.
/// majority[k - 1] is the mean over choices of k samples of a question, kept in their order: over
/// all choices where k = 1 or there are at most 256 (so for K ≤ 10), else over the first k of the
/// samples in each of 256 seeded random orders, the same orders for every k. Pure. At most about
/// 1500 · K votes for each question; `votes_cast`, where given, receives their number.
SelfConsistency self_consistency(std::span<const std::vector<VotingAnswer>> questions,
                                 VoteRule rule, std::uint64_t seed,
                                 std::size_t* votes_cast = nullptr);

}  // namespace softcot
