#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "launch/bench/contest.h"

namespace softcot {

/// Under what a table was measured.
struct BenchSetting {
  std::string machine;   ///< "AMD EPYC, 2 cores"
  std::string workload;  ///< "SmolLM2-135M-Instruct, assistant …, gsm8k"
  std::int64_t repeats = 0;
  std::string version;  ///< softcot's.
};

// Pure: the same bytes for the same results. Figures are medians over the repetitions, with the
// least and the most in brackets; a ratio is taken in each repetition, between neighbours in time,
// and is above 1 where softcot is better.

/// A page of Markdown with one table.
std::string bench_markdown(const BenchSetting& setting, const std::vector<ContestResult>& results);
/// Everything: each contender's lines too.
nlohmann::ordered_json bench_json(const BenchSetting& setting,
                                  const std::vector<ContestResult>& results);

}  // namespace softcot
