#include <ATen/Functions.h>

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>

#include "launch/commands/commands.h"
#include "launch/machine/threads.h"
#include "launch/options/run_options.h"
#include "launch/run/cache_turn.h"
#include "launch/run/method.h"
#include "launch/run/restarts.h"
#include "launch/run/run_data.h"
#include "launch/run/written_thoughts.h"
#include "runtime/counted.h"
#include "runtime/log.h"
#include "runtime/progress.h"
#include "trainer/precompute.h"

namespace softcot {
namespace {

/// The blocks that some rank must write, as rank 0 finds them.
std::vector<std::int64_t> missing_blocks(const ThoughtCacheWriter& writer,
                                         const std::unique_ptr<CacheLock>& lock,
                                         Communicator& world) {
  std::vector<std::int64_t> blocks;
  if (world.rank() == 0) blocks = writer.missing_blocks(*lock);
  auto count = at::full({1}, static_cast<std::int64_t>(blocks.size()), at::kLong);
  world.broadcast(count, 0);
  auto numbers = at::zeros({count.item<std::int64_t>()}, at::kLong);
  if (world.rank() == 0) numbers = at::tensor(blocks, at::kLong);
  if (numbers.numel() > 0) world.broadcast(numbers, 0);
  const auto* data = numbers.const_data_ptr<std::int64_t>();
  return {data, data + numbers.numel()};
}

SharedCache shared_cache(const std::string& name, const std::filesystem::path& folder,
                         const ThoughtCacheKey& key) {
  const auto progress = [folder, key] {
    const ThoughtCacheLayout layout{key};
    std::int64_t there = 0;
    for (std::int64_t block = 0; block < layout.block_count(); ++block) {
      there += std::filesystem::exists(folder / block_name(block)) ? 1 : 0;
    }
    return fmt::format("{} of {} blocks are there", there, layout.block_count());
  };
  return {name, folder, [folder, key] { return ThoughtCacheWriter::is_complete(folder, key); },
          progress};
}

/// What is made in one call.
enum class Wanted { kAll, kTrain, kEval, kTexts };

class Precompute {
 public:
  Precompute(const RunOptions& run, const ProcessWorld& world, const ProcessGroups& groups)
      : run_(run),
        world_(world),
        groups_(groups),
        text_(TextModel::open(assistant_of(run).path)),
        hash_(model_hash(text_.path, *groups.world)),
        prompt_(PromptTemplate::load(run.prompts, run.thoughts.prompt)),
        builder_(text_.tokenizer, text_.family, prompt_) {
    const ShardPlan legal(text_.config, 0,
                          groups.mesh.tp());  // refused even with nothing to compute
  }

  void fill(const Split& split, std::int64_t thoughts) {
    const auto key = thought_key(run_, text_, hash_, prompt_, split, thoughts);
    const auto folder = cache_folder(run_, key);
    log_info("{}: {} × {} × {} in {}", split.name, counted(key.rows, "row"),
             counted(key.thoughts, "thought"), key.width, folder.string());
    const auto [complete, lock] =
        wait_for_turn(shared_cache(split.name, folder, key), *groups_.world);
    if (complete) {
      log_info("{}: complete, nothing to do", split.name);
      return;
    }
    const ThoughtCacheWriter writer(folder, key);
    groups_.world->barrier();  // All have read the manifest before it is taken away.
    const auto blocks = missing_blocks(writer, lock, *groups_.world);
    const auto total = writer.layout().block_count();
    if (lock && !blocks.empty()) {
      count_restart(folder, "precompute",
                    [&] { return static_cast<std::uint64_t>(total) - blocks.size(); });
    }
    if (blocks.empty()) {
      log_info("{}: complete, nothing to do", split.name);
    } else {
      if (static_cast<std::int64_t>(blocks.size()) < total) {
        log_info("{}: {} of {} blocks are there already", split.name, total - blocks.size(), total);
      }
      compute(split, thoughts, writer, blocks);
    }
    if (world_.rank() == 0) writer.finish(*lock);
    groups_.world->barrier();
  }

 private:
  void compute(const Split& split, std::int64_t thoughts, const ThoughtCacheWriter& writer,
               const std::vector<std::int64_t>& blocks) {
    if (!assistant_) {
      const ModelOptions options = assistant_of(run_);
      assistant_.emplace(options.path, options.load, *groups_.tp);
    }
    const auto rows = assistant_rows(builder_, split, thoughts, run_.data);
    std::uint64_t wanted = 0;
    for (const auto block : blocks) wanted += writer.layout().rows_in(block);
    Progress progress("precompute " + split.name, wanted, "rows", world_.rank() == 0);
    std::size_t told = 0;
    const auto report = [&](std::int64_t taken) {
      for (; told < static_cast<std::size_t>(taken); ++told) {
        progress.advance(writer.layout().rows_in(blocks[told]));
      }
    };
    const ThoughtReader reader(*assistant_, rows);
    const FillSeconds seconds =
        fill_thought_cache(reader, rows, writer, blocks, world_, groups_, report);
    progress.finish();
    log_info("{}: rank 0 read for {:.1f} s and wrote for {:.2f} s", split.name, seconds.reading,
             seconds.writing);
  }

  const RunOptions& run_;
  const ProcessWorld& world_;
  const ProcessGroups& groups_;
  TextModel text_;
  std::string hash_;
  PromptTemplate prompt_;
  RowBuilder builder_;
  std::optional<Transformer> assistant_;
};

}  // namespace

ExitCode run_precompute(Invocation& invocation) {
  RunOptions run;
  OptionSet options("precompute",
                    "Run the assistant once over all questions and cache its soft thoughts.");
  add_run_options(options, run,
                  {"model.path", "assistant", "parallel", "data", "thoughts", "train.compat",
                   "evaluate.methods", "evaluate.seed", "evaluate.batch", "prompts"});
  options.find("data.file")->required = false;
  Wanted wanted = Wanted::kAll;
  options.add(
      "only", &wanted,
      "Only the thoughts about the questions to train on, those about the held-out ones, or "
      "the texts that the assistant writes.",
      Choices<Wanted>{{"all", Wanted::kAll},
                      {"train", Wanted::kTrain},
                      {"eval", Wanted::kEval},
                      {"texts", Wanted::kTexts}});
  options.set_notes(
      "Works alone and under mpirun or srun with any number of ranks. Stopped at any time, the "
      "next\n"
      "call goes on: finished blocks stay. A cache is found again by what it was made from. If\n"
      "evaluate.methods has zero_shot_assist_cot, what the assistant writes about the held-out\n"
      "questions is made too.");
  options.add_example("mpirun -n 2 softcot precompute --config configs/quickstart.cfg",
                      "two ranks share the work");
  if (!invocation.read(options)) return ExitCode::kOk;

  ProcessWorld& world = invocation.world();
  const ProcessGroups groups = start_groups(invocation, run);
  const auto wants = [wanted](Wanted part) { return wanted == Wanted::kAll || wanted == part; };
  const bool has_train = !run.data.file.empty() && wants(Wanted::kTrain);
  const auto& methods = run.evaluate.methods;
  const bool has_texts = wants(Wanted::kTexts) &&
                         std::any_of(methods.begin(), methods.end(), [](const std::string& name) {
                           return method_of(name).written;
                         });
  if (wanted == Wanted::kTrain && !has_train) {
    fail(ExitCode::kUsage,
         {.what = "no questions to train on", .where = "--only train", .fix = "give --data.file"});
  }
  if (wanted == Wanted::kTexts && !has_texts) {
    fail(ExitCode::kUsage, {.what = "no method whose assistant writes texts",
                            .where = "--only texts",
                            .fix = "give --evaluate.methods zero_shot_assist_cot"});
  }
  if (!has_train) require_eval(run.data);
  const auto eval = eval_split(run.data);
  if (eval && has_texts) {
    written_thoughts(run, *eval, PromptTemplate::load(run.prompts, run.thoughts.prompt), groups);
  }
  if (wanted == Wanted::kTexts) return ExitCode::kOk;
  Precompute precompute(run, world, groups);
  if (has_train) precompute.fill(train_split(run.data), run.thoughts.count);
  if (eval && wants(Wanted::kEval)) {
    precompute.fill(*eval, run.thoughts.count);
    if (run.thoughts.count_in_evaluation() != run.thoughts.count) {
      precompute.fill(*eval, run.thoughts.count_in_evaluation());
    }
  }
  return ExitCode::kOk;
}

}  // namespace softcot
