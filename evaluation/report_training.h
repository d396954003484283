#pragma once

#include <optional>
#include <string>
#include <vector>

#include "evaluation/report_run.h"
#include "evaluation/svg_plot.h"

namespace softcot {

/// The part of the page about the training: what was trained, loss curve with held-out points,
/// gradient norm and learning rate, and the same as a table. Empty without steps. HTML.
std::string training_section(const RunRecord& run, const std::string& gnuplot);

/// The training loss for a plot: smoothed where there are many steps.
std::vector<PlotPoint> training_loss(const std::vector<RunStep>& steps);
/// The held-out loss as it is, a line for each stage of a curriculum: their rows are others.
std::vector<PlotSeries> heldout_loss(const std::vector<RunStep>& steps, int colour);

/// A picture with a caption; empty without a picture. A whole-width one scrolls on narrow screens,
/// so that its figures stay readable. HTML.
enum class Width { kWhole, kHalf };
std::string figure(const std::optional<std::string>& svg, const std::string& caption,
                   Width width = Width::kWhole);

}  // namespace softcot
