#include "launch/commands/commands.h"

int main(int argc, char** argv) {
  using namespace softcot;
  using enum Ranks;
  constexpr Command kCommands[] = {
      {"preview", kApart, "Show the prompts that a configuration makes of its questions.",
       run_preview},
      {"augment", kApart, "Make ASDiv-Aug: copies of ASDiv's problems with other numbers.",
       run_augment},
      {"precompute", kTogether, "Run the assistant over all questions and cache its soft thoughts.",
       run_precompute},
      {"train", kTogether,
       "Train a method: SoftCoT's projection, prompt vectors, LoRA, Coconut, all weights.",
       run_train},
      {"evaluate", kTogether, "Compare methods on held-out questions.", run_evaluate},
      {"compare", kTogether, "Run a suite of methods, tasks and seeds, and make one table of it.",
       run_compare},
      {"sweep", kTogether,
       "Run every point of a grid over options, and share what points have in common.", run_sweep},
      {"export", kApart, "Write what a run trained for other programs: an adapter, a model folder.",
       run_export},
      {"report", kApart,
       "Show runs as one page: tables, curves, samples, what they were made from.", run_report},
      {"generate", kTogether, "Continue JSON lines, or answer a question with soft thoughts.",
       run_generate},
      {"score", kTogether, "Say how likely a model finds JSON lines of text or ids.", run_score},
      {"tokenize", kApart, "Turn JSON lines of text into token ids and back.", run_tokenize},
      {"inspect", kApart, "Show, verify and repair caches, runs, sweeps; show and verify models.",
       run_inspect},
      {"bench", kTogether, "Measure training, precompute or decoding on real rows.", run_bench},
      {"plan", kApart, "Say which layout of ranks fits, how long a step takes, and why.", run_plan},
      {"doctor", kTogether, "Say what this machine has, what is missing and how to get it.",
       run_doctor},
  };
  return run_program(argc, argv, kCommands);
}
