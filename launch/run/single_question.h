#pragma once

#include <string>

#include "launch/command.h"
#include "launch/options/run_options.h"

namespace softcot {

/// One question to be answered on the terminal.
struct SingleQuestion {
  std::string text;
  bool show_thoughts = false;    ///< Print the tokens nearest to each soft thought first.
  bool default_thoughts = true;  ///< thoughts.count was not given: as many as in training.
  bool ignore_stop = false;
  GenerationOptions generation;
  std::uint64_t seed = 0;
};

/// Writes the answer to standard output as it is made. With a run folder the assistant of `run`
/// reads the question and the projection trained there makes soft thoughts of its states; without
/// one the backbone answers by itself. Throws kCheckpoint when the run's projection was trained
/// with other models or prompts. Collective over the world, all of which shares the models.
void answer_question(Invocation& invocation, RunOptions& run, const SingleQuestion& question);

}  // namespace softcot
