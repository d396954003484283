#include "launch/bench/bench_options.h"

#include "launch/options/sampling.h"

namespace softcot {

std::vector<std::string> BenchOptions::part_names() {
  return {"train", "ranks", "precompute", "decode", "samples", "start", "memory"};
}

void add_bench_options(OptionSet& options, BenchOptions& bench) {
  options.add_argument("PART", &bench.part,
                       "What is measured: train, precompute, decode or all; rows prints what is "
                       "measured on.");
  options.add_section("bench", "What is measured.");
  options
      .add("bench.rows", &bench.rows,
           "Rows of the data file; the first batch warms up. all takes its own.", at_least(1))
      .unit = "rows";
  options
      .add("bench.steps", &bench.steps,
           "Training steps after the first, over the rows again and again; 0 for one with each "
           "batch.",
           at_least(0))
      .unit = "steps";
  options
      .add("bench.new-tokens", &bench.new_tokens, "Tokens written for each row in decoding.",
           at_least(1))
      .unit = "tokens";
  options
      .add("bench.samples", &bench.samples,
           "Answers to each question in decoding, all in flight at once.", at_least(1))
      .unit = "answers";
  add_sampling(options, "bench.", bench.sampling);
  options.add("bench.peers", &bench.peers,
              "all: the same on the same rows with the peers that are installed "
              "(launch/bench/peers/setup.sh installs them).");
  options.add("bench.parts", &bench.parts, "all: of what, the whole list by default.",
              BenchOptions::part_names());
  options.add("bench.dtypes", &bench.dtypes, "all: in which precisions.",
              std::vector<std::string>{"bfloat16", "float32"});
  options
      .add("bench.repeats", &bench.repeats,
           "all: how often each is measured, one after the other and again.", at_least(1))
      .unit = "times";
  options.add("bench.folder", &bench.folder,
              "all: folder for the table (bench.md, bench.json), the rows and a log.");
  options.add("bench.peers-folder", &bench.peers_folder, "all: folder of the peers' scripts.");
  options.add("bench.peers-python", &bench.peers_python,
              "all: the interpreter that has the peers' packages.");
  options.add("bench.gguf", &bench.gguf,
              "all: the backbone in bfloat16 for llama.cpp; empty for the model's folder with "
              ".bf16.gguf at its end.");
  options.add_alias("peers", "bench.peers");
}

}  // namespace softcot
