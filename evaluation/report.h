#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "evaluation/report_run.h"

namespace softcot {

struct ReportOptions {
  std::size_t questions = 6;        ///< How many questions to show with every method's answer.
  std::string gnuplot = "gnuplot";  ///< Program that draws; without it the page has tables instead.
};

/// One HTML page that needs nothing else: no network, no script. Whatever the run's files hold is
/// text in it. Pure but for calling gnuplot.
std::string render_report(const RunRecord& run, const ReportOptions& options);

/// One sentence for each method that stands beside a baseline: whether it lowers the held-out NLL,
/// by how much, and how sure that is; the largest fall first. Plain text. What could not be told
/// apart is said to be so.
std::vector<std::string> verdict_sentences(const Comparison& comparison);

}  // namespace softcot
