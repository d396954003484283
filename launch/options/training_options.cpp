#include "launch/options/training_options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "launch/run/method.h"
#include "model/lora.h"

namespace softcot {

void add_train(OptionSet& options, RunOptions& run) {
  TrainOptions& train = run.train;
  options.add("train.method", &run.method,
              fmt::format("What is trained (docs/methods.md): {}.",
                          fmt::join(method_names(/*trained_only=*/true), ", ")));
  options.add("train.steps", &train.steps, "Updates, 0 to go by epochs.", between(0, 1e12)).unit =
      "steps";
  options
      .add("train.epochs", &train.epochs, "Passes over the rows, when steps is 0.",
           above_up_to(0, 1e6))
      .unit = "epochs";
  options
      .add("train.batch", &train.batch, "Rows of one update, over all ranks.", between(1, 1 << 20))
      .unit = "rows";
  options
      .add("train.accumulation", &train.accumulation,
           "Pieces in which a rank computes its rows of one update; 0 makes pieces of some 1280 "
           "tokens (on a GPU 4096), which bounds memory.",
           at_least(0))
      .unit = "pieces";
  options.add("train.learning-rate", &train.optimizer.learning_rate, "Peak learning rate.",
              above_up_to(0, 10));
  options.add("train.schedule", &train.schedule.kind, "Learning-rate schedule.",
              Choices<Schedule>{{"linear", Schedule::kLinear},
                                {"cosine", Schedule::kCosine},
                                {"constant", Schedule::kConstant}});
  options
      .add("train.warmup-steps", &train.schedule.warmup_steps,
           "Steps over which it first rises from 0.", at_least(0))
      .unit = "steps";
  options.add("train.weight-decay", &train.optimizer.weight_decay, "Decoupled weight decay.",
              between(0, 1));
  options.add("train.clip", &train.optimizer.clip, "Largest norm of the gradient, 0 for no limit.",
              at_least(0));
  options.add("train.seed", &train.seed,
              "Decides the first weights of what is trained and the order of the questions.",
              any_number());
  options
      .add("train.eval-every", &train.evaluate_every,
           "Steps between held-out losses, 0 for the first and last only.", at_least(0))
      .unit = "steps";
  options
      .add("train.checkpoint-every", &train.checkpoint_every,
           "Steps between checkpoints, 0 for the last only.", at_least(0))
      .unit = "steps";
  options
      .add("train.keep", &train.retention.keep_last, "Newest checkpoints that are kept.",
           at_least(1))
      .unit = "checkpoints";
  options
      .add("train.keep-every", &train.retention.keep_every,
           "Also keep checkpoints whose step is a multiple of this, 0 for none.", at_least(0))
      .unit = "steps";
  options.add("train.tensorboard", &train.tensorboard,
              "Also write the metrics as event files for TensorBoard, in tensorboard/ of the run.");
  options.add("train.compat", &run.compat,
              "Habits of the paper's code to train with (docs/compat.md): strict has none of them, "
              "reference those of its task.",
              quirk_choices<TrainingQuirks>());
  options.add("train.pack", &train.work.pack, "Rows one after another, without padding.");
  options.add("train.target-logits", &train.work.target_logits,
              "Output probabilities only where there is something to learn.");
  options.add("train.frozen-prefix", &train.work.frozen_prefix,
              "No gradients for what comes before the first thought.");
  options.add("train.shared-prefix", &train.work.shared_prefix,
              "Compute once what all rows begin with.");
}

void add_lora(OptionSet& options, LoraChoice& lora) {
  options.add("lora.rank", &lora.rank, "Rank of a change.", at_least(1));
  options.add("lora.alpha", &lora.alpha, "A change is alpha / rank · B A.", above(0));
  options.add("lora.dropout", &lora.dropout, "Of the inputs of A, in training.", between(0, 0.99));
  std::vector<std::string> names;
  for (const LoraTarget target : all_lora_targets()) names.emplace_back(lora_target_name(target));
  options.add("lora.targets", &lora.targets, "Matrices that are changed.", names);
  options.add(
      "lora.adapter", &lora.adapter,
      "PEFT adapter folder to begin with, whose rank, alpha, targets and dropout then hold; "
      "empty for new pairs.");
}

void add_coconut(OptionSet& options, CoconutOptions& coconut) {
  options.add("coconut.ablation", &coconut.variant, "Which part of Coconut is left out.",
              Choices<CoconutVariant>{{"none", CoconutVariant::kCoconut},
                                      {"no_curriculum", CoconutVariant::kNoCurriculum},
                                      {"no_thought", CoconutVariant::kNoThought},
                                      {"pause_as_thought", CoconutVariant::kPauseAsThought}});
  options
      .add("coconut.latents-per-step", &coconut.latents_per_step,
           "Latents in place of one step of the rationale.", between(1, 1024))
      .unit = "latents";
  options
      .add("coconut.max-stage", &coconut.max_stage,
           "In stage s the first s steps give way to latents, up to this s.", between(1, 1000))
      .unit = "steps";
  options.add("coconut.final-stage", &coconut.final_stage,
              "After it one more stage, which hides all steps.");
  options.add("coconut.pad-latents", &coconut.pad_latents,
              "In the final stage all latents even where the rationale has fewer steps; in the "
              "stages before it every row has those of its stage.");
  options
      .add("coconut.epochs-per-stage", &coconut.epochs_per_stage,
           "Length of a stage; the last one ends with the training.", above_up_to(0, 1e6))
      .unit = "epochs";
  options
      .add("coconut.steps-per-stage", &coconut.steps_per_stage,
           "The same in updates, 0 to go by epochs.", between(0, 1e12))
      .unit = "steps";
  options.add("coconut.reset-optimizer", &coconut.optimizer_reset,
              "When the optimizer's moments are reset: with each stage, with each epoch (as the "
              "authors' code does), or never.",
              Choices<OptimizerReset>{{"stage", OptimizerReset::kStage},
                                      {"epoch", OptimizerReset::kEpoch},
                                      {"never", OptimizerReset::kNever}});
}

}  // namespace softcot
