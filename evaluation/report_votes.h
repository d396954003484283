#pragma once

#include <string>

#include "evaluation/result_table.h"

namespace softcot {

/// The part of the page about several samples of a question: votes and pass@k for k = 1 … K as
/// curves and as a table. Empty where no method has several. HTML.
std::string voting_section(const Comparison& comparison, const std::string& gnuplot);

}  // namespace softcot
