#pragma once

#include <string>

#include "evaluation/result_table.h"

namespace softcot {

/// The part of the page about several samples of a question: votes and pass@k for k = 1 … K as
/// curves and as a table. Empty where no method has several. `id` keeps the pictures of several
/// such parts on one page apart. HTML.
std::string voting_section(const Comparison& comparison, const std::string& gnuplot,
                           const std::string& heading = "Several samples of a question",
                           const std::string& id = "votes");

}  // namespace softcot
