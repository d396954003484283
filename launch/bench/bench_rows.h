#pragma once

#include <string>
#include <vector>

#include "data/row.h"
#include "launch/options/run_options.h"
#include "launch/run/run_data.h"

namespace softcot {

/// Rows of a data file as both models read them: what is measured on.
struct BenchRows {
  TextModel backbone_text, assistant_text;
  PromptTemplate prompt;
  Split split;
  std::vector<Row> backbone;   ///< Prompt, thoughts and targets.
  std::vector<Row> assistant;  ///< One for each of those, ending with its last placeholder.

  /// The first run.data.limit rows. Throws as the readers of models and data do. Local.
  static BenchRows read(const RunOptions& run);

  /// One line of JSON for each row, for programs that measure the same: ids, thought_begin,
  /// thoughts, target_begin, shared_prefix (tokens that all rows begin with) and the assistant's
  /// ids and thought_begin.
  std::string lines() const;
};

}  // namespace softcot
