#pragma once

#include <csignal>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "data/compat.h"
#include "data/prompt.h"
#include "data/row.h"
#include "data/thought_cache_key.h"
#include "evaluation/generation.h"
#include "launch/options/option_set.h"
#include "model/transformer.h"
#include "runtime/time_limit.h"
#include "trainer/curriculum.h"
#include "trainer/train_options.h"

namespace softcot {

/// A Hugging Face folder and how it is loaded.
struct ModelOptions {
  std::filesystem::path path;
  LoadOptions load;
};

enum class DeviceChoice { kAuto, kCpu, kCuda };
enum class Transport { kAuto, kMpi, kNccl };

struct ParallelOptions {
  int tp = 1;                    ///< Ranks that share one model; dp = ranks / tp.
  double timeout_seconds = 600;  ///< How long a collective waits for the other ranks.
  DeviceChoice device = DeviceChoice::kAuto;
  Transport transport = Transport::kAuto;
  std::filesystem::path flight_records;  ///< Empty for run.folder/flight, if there is a run.
};

/// When a training stops with a checkpoint before it is finished.
struct StopOptions {
  TimeLimitOptions time;
  int signal = SIGUSR1;  ///< Besides SIGTERM and SIGINT.
};

struct DataOptions {
  std::string task = "gsm8k";
  std::filesystem::path file;
  /// Records of `file` for training: the first floor(share · all). The others are held out where
  /// no `eval_file` is named.
  double train_share = 1;
  std::int64_t offset = 0;  ///< Records left out at the start of the training ones.
  std::int64_t limit = 0;   ///< Training records that are used; 0 = all.
  std::filesystem::path eval_file;
  std::int64_t eval_offset = 0;
  std::int64_t eval_limit = 0;
  std::int64_t max_length = 2048;  ///< Tokens of the longest legal row.
  OnLongRow on_long_row = OnLongRow::kFail;
  TrainingQuirks quirks;  ///< train.compat: of rows that are trained, never of held-out ones.

  bool has_eval() const { return !eval_file.empty() || train_share < 1; }
};

struct ThoughtOptions {
  std::int64_t count = 32;      ///< N in training.
  std::int64_t eval_count = 0;  ///< N in evaluation; 0 = as in training.
  ThoughtPrompt prompt = ThoughtPrompt::kCounted;
  std::filesystem::path cache = "caches";  ///< Folder that holds one folder per cache.
  ThoughtType stored = ThoughtType::kFloat32;
  double written_temperature = 0;  ///< Of tokens that the assistant writes.

  std::int64_t count_in_evaluation() const { return eval_count > 0 ? eval_count : count; }
};

/// LoraOptions as a user gives them.
struct LoraChoice {
  std::int64_t rank = 16;
  double alpha = 32;
  double dropout = 0.1;
  std::vector<std::string> targets = {"q_proj", "v_proj"};
  std::filesystem::path adapter = {};  ///< PEFT folder to begin with; empty for new pairs.
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(LoraChoice, rank, alpha, dropout, targets)

NLOHMANN_JSON_SERIALIZE_ENUM(CoconutVariant,
                             {{CoconutVariant::kCoconut, "none"},
                              {CoconutVariant::kNoCurriculum, "no_curriculum"},
                              {CoconutVariant::kNoThought, "no_thought"},
                              {CoconutVariant::kPauseAsThought, "pause_as_thought"}})
NLOHMANN_JSON_SERIALIZE_ENUM(OptimizerReset, {{OptimizerReset::kStage, "stage"},
                                              {OptimizerReset::kEpoch, "epoch"},
                                              {OptimizerReset::kNever, "never"}})
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(CoconutOptions, variant, latents_per_step, max_stage,
                                   final_stage, pad_latents, epochs_per_stage, steps_per_stage)

struct EvaluateOptions {
  std::vector<std::string> methods;  ///< Once read, never empty: zero-shot and train.method.
  GenerationOptions generation;
  std::filesystem::path trained;         ///< Run whose training is evaluated; empty for run.folder.
  std::vector<std::string> also_greedy;  ///< Of `methods`, those that also answer greedily.
  std::uint64_t seed = 41;
  std::int64_t seeds = 1;    ///< From `seed` on.
  std::int64_t samples = 1;  ///< Continuations of each question under each seed.
  /// "strict", "reference" or quirks (data/compat.h): "strict" beside others means both ways.
  std::vector<std::string> compat = {"strict"};
  bool every_stage = false;  ///< Coconut after each of its stages, not only the last.
};

struct RunOptions {
  ModelOptions model;
  ModelOptions assistant;
  ParallelOptions parallel;
  DataOptions data;
  ThoughtOptions thoughts;
  TrainOptions train;
  std::string method = "softcot";                ///< train.method
  std::vector<std::string> compat = {"strict"};  ///< train.compat; read it as data.quirks.
  LoraChoice lora;
  CoconutOptions coconut;
  EvaluateOptions evaluate;
  std::filesystem::path folder;  ///< run.folder
  bool resume = false;           ///< run.resume
  StopOptions stop;
  std::filesystem::path prompts;  ///< prompts.file; once read, never empty: the task's own.
};

/// Adds all options, so that one config file serves every command, and uses those named, by section
/// ("model", "assistant", "parallel", "data", "thoughts", "train", "lora", "coconut", "evaluate",
/// "run", "prompts", "stop") or one by one ("train.method"). Aliases: --model,
/// --assistant, --dtype, --batch, --thoughts, --max-new-tokens, --resume, --task, --method,
/// --max-minutes.
/// `run` must outlive `options`.
void add_run_options(OptionSet& options, RunOptions& run, const std::vector<std::string>& used);

}  // namespace softcot
