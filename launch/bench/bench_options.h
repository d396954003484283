#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "evaluation/sampling_options.h"
#include "launch/options/option_set.h"

namespace softcot {

/// What `softcot bench` measures.
struct BenchOptions {
  std::string part = "train";
  std::int64_t rows = 28;        ///< Of the data file; the first batch warms up.
  std::int64_t steps = 0;        ///< Of training; 0 = one for each batch of the rows.
  std::int64_t new_tokens = 64;  ///< Of each row, in decoding.
  std::int64_t samples = 1;      ///< Answers to each question, in decoding.
  SamplingOptions sampling;      ///< In decoding.

  // Of `bench all` alone.
  bool peers = false;
  std::int64_t repeats = 3;
  std::vector<std::string> parts = part_names();
  std::vector<std::string> dtypes = {"bfloat16", "float32"};
  std::filesystem::path folder = "runs/bench";
  std::filesystem::path peers_folder = "launch/bench/peers";
  std::filesystem::path peers_python = "build/peers-venv/bin/python";
  std::filesystem::path gguf;  ///< The backbone for llama.cpp; empty for MODEL.bf16.gguf.

  static std::vector<std::string> part_names();
};

/// Adds PART and the section "bench", and the alias --peers.
void add_bench_options(OptionSet& options, BenchOptions& bench);

}  // namespace softcot
