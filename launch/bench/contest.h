#pragma once

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "launch/bench/bench_options.h"
#include "runtime/error.h"

namespace softcot {

struct RunOptions;

/// A program that is measured by running it: it prints a line of JSON.
struct Contender {
  std::string name;                ///< "softcot", "Transformers", "llama.cpp".
  std::vector<std::string> words;  ///< Its command line.
  double seconds = 0;              ///< It takes on two cores, roughly.
  std::string missing = {};        ///< Why it cannot run here, and what installs it; else empty.
};

/// One line of the table: softcot beside others.
struct Matchup {
  std::string part = {};    ///< BenchOptions::part_names() has it.
  std::string title = {};   ///< "training step, batch 4"
  std::string dtype = {};   ///< "bfloat16", "float32"
  std::string figure = {};  ///< Name of what is compared in the contenders' lines.
  std::string unit = {};
  bool lower_is_better = false;
  bool once = false;                       ///< A count, or too long to be repeated.
  double scale = 1;                        ///< From the line's unit to that of the table.
  std::vector<Contender> contenders = {};  ///< softcot first.
  /// What softcot's line says besides: how near it came to a bound. Empty for nothing.
  std::function<std::string(const nlohmann::ordered_json& line)> remark = {};
};

/// What a contender said in each repetition; null where it failed.
using Answers = std::vector<nlohmann::ordered_json>;

struct ContestResult {
  Matchup comparison;
  std::vector<Answers> answers;  ///< As its contenders.
};

/// What `bench all` measures under these options. `rows` names a file of BenchRows::lines().
std::vector<Matchup> plan_contest(const RunOptions& run, const BenchOptions& bench,
                                  const std::filesystem::path& rows);

/// Runs all contenders bench.repeats times, in turn, each in a process of its own; a command that
/// several comparisons ask for runs once in a turn. Says how far it is. Their output goes to `log`.
std::vector<ContestResult> hold_contest(const std::vector<Matchup>& comparisons,
                                        std::int64_t repeats, const std::filesystem::path& log);

/// `bench all`: plans, runs, prints the table and writes bench.md and bench.json. kInternal when
/// softcot itself failed somewhere.
ExitCode run_contest(const RunOptions& run, const BenchOptions& bench);

}  // namespace softcot
