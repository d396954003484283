#pragma once

#include <span>
#include <string>
#include <vector>

#include "evaluation/result_table.h"

namespace softcot {

/// A line of a table and the one that it is compared with. Both must outlive it.
struct VerdictLine {
  std::string label;
  const MethodResult* own;  ///< Has a contrast.
  const MethodResult* baseline;
};

/// Whether the line lowers or raises the held-out NLL beyond chance: the interval of its change,
/// simultaneous over all lines of the comparison (Contrast::nll_of_all), leaves out zero, and all
/// trainings point the same way. Plain text of one sentence, with what an NLL alone does not say:
/// accuracy, length of the answers, share of those cut off. Pure, as all here.
std::string verdict_sentence(const VerdictLine& line);

/// That of the line which lowers the NLL most, beyond chance; or that none does, and which comes
/// nearest. Says of how many lines. Empty where no line has an NLL.
std::string best_line_sentence(std::span<const VerdictLine> lines);

/// The lines of a comparison that have a baseline in it.
std::vector<VerdictLine> verdict_lines(const Comparison& comparison);

}  // namespace softcot
