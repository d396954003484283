#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "launch/options/option_set.h"
#include "launch/sweep/work.h"

namespace softcot {

/// An option that takes several values.
struct SweepAxis {
  std::string option;               ///< Full name: "thoughts.count".
  std::vector<std::string> values;  ///< As the file has them: at least one, none twice.
  std::vector<std::string> labels;  ///< Of the values in names: "count8", "seed41", "softcot".
};

/// One point of a grid.
struct SweepCell {
  std::string name;                ///< Its labels: "count8-layers4-seed41".
  std::vector<std::size_t> place;  ///< Its value on each axis, by position.
  std::string method;  ///< What it evaluates; with N = 0, what is left without thoughts.
  std::string task;
  Settings settings;  ///< Every option as the commands would have it, but those of `run`.
};

/// A grid: the product of its axes. docs/sweeps.md has the format of its file.
struct Sweep {
  std::string title;
  std::vector<SweepAxis> axes;
  std::vector<SweepCell> cells;  ///< The last axis runs fastest.

  /// Of all settings and axes.
  std::string hash() const;
};

/// Declares the sections of a sweep file that hold no options; before `options` are read.
void add_sweep_sections(OptionSet& options);

/// The sweep of the config file that `options`, with all options of cells, have read; what else was
/// given goes over what the file says, in every cell. Throws OptionErrors with everything that is
/// wrong: no axes, an unknown option or method, a value that the commands would refuse, and what
/// CellChecker finds for steps of `ranks` ranks. Local; reads files, writes none.
Sweep read_sweep(OptionSet& options, int ranks = 1);

}  // namespace softcot
