#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "launch/sweep/sweep.h"
#include "launch/sweep/work.h"

namespace softcot {

/// What a work of a sweep makes.
enum class SweepPart { kThoughts, kTexts, kTraining, kEvaluation };

/// All works of a sweep: what several cells need of the same is one of them.
struct SweepPlan {
  /// Works of a cell, by position.
  struct Cell {
    std::size_t evaluation;
    std::optional<std::size_t> training;
    std::size_t baseline;  ///< Zero-shot CoT on the same questions; its own where that is the cell.
  };
  std::vector<Work> works;  ///< Needs come first. Names: "cells/…", "trained/…", "thoughts/…".
  std::vector<SweepPart> parts;  ///< Of the works.
  std::vector<Cell> cells;       ///< Of Sweep::cells.
};

/// With run folders below `out`. Pure.
SweepPlan plan_sweep(const Sweep& sweep, const std::filesystem::path& out);

}  // namespace softcot
