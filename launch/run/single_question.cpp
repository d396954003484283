#include "launch/run/single_question.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <chrono>
#include <optional>

#include "data/row.h"
#include "evaluation/generation.h"
#include "launch/machine/threads.h"
#include "launch/run/generation_config.h"
#include "launch/run/method.h"
#include "launch/run/run_data.h"
#include "launch/run/thought_table.h"
#include "launch/run/tool_model.h"
#include "launch/run/trained_model.h"
#include "launch/standard_output.h"
#include "runtime/error.h"
#include "runtime/log.h"
#include "trainer/precompute.h"
#include "trainer/train_data.h"

namespace softcot {
namespace {

/// The last-layer states [N, A] of the assistant, which is loaded for this and let go again.
at::Tensor assistant_states(const ModelOptions& options, const TextModel& text,
                            const Record& record, const PromptTemplate& prompt,
                            std::int64_t thoughts, Communicator& tp) {
  const RowBuilder builder(text.tokenizer, text.family, prompt);
  const std::vector<Row> rows = {builder.assistant_row(record, thoughts)};
  const Transformer assistant(options.path, options.load, tp);
  return ThoughtReader(assistant, rows).read(0, 1)[0];
}

/// What a run trained, with the number of placeholders to use.
struct Thinking {
  TrainedRun trained;
  std::int64_t placeholders;
};

Thinking load_thinking(const RunOptions& run, const SingleQuestion& question,
                       const PromptTemplate& prompt, const ModelConfig& backbone) {
  TrainedRun trained = load_trained(run.folder, backbone);
  if (trained.identity.contains("prompt_hash")) {  // adapters of other programs say nothing
    require_trained_with(trained, "prompt file", prompt.content_hash(),
                         trained.identity.at("prompt_hash").get<std::string>());
  }
  std::int64_t placeholders = 0;
  if (method_of(trained.method()).placeholders) {
    placeholders = question.default_thoughts
                       ? trained.identity.at("placeholders").get<std::int64_t>()
                       : run.thoughts.count;
  }
  warn_of_cut_vectors(trained, placeholders);
  return {std::move(trained), placeholders};
}

Row prompt_row(const RowBuilder& builder, const Record& record, const Thinking& thinking) {
  if (!method_of(thinking.trained.method()).coconut) {
    return builder.backbone_prompt(record, thinking.placeholders);
  }
  const Curriculum curriculum = curriculum_of(thinking.trained);
  return builder.latent_prompt(record, curriculum.latents(curriculum.last_stage()),
                               curriculum.has_markers());
}

/// The assistant's states [N, A] for the question.
at::Tensor states_of(const RunOptions& run, const Thinking& thinking, const Record& record,
                     const PromptTemplate& prompt, const ProcessGroups& groups) {
  const ModelOptions options = assistant_of(run);
  const TextModel text = TextModel::open(options.path);
  const std::int64_t layers = options.load.layers > 0 ? options.load.layers : text.config.layers;
  require_assistant(thinking.trained, model_hash(options.path, *groups.world), layers);
  return assistant_states(options, text, record, prompt, thinking.placeholders, *groups.tp);
}

/// Tells how the answer ended, and how fast it came.
void log_end(const Generation& result, double seconds) {
  const auto tokens = static_cast<double>(result.ids.size());
  log_info("{} tokens in {:.1f} s ({:.1f} a second), {}", result.ids.size(), seconds,
           tokens / seconds,
           result.finish == Finish::kStop ? "finished" : "cut off by --max-new-tokens");
}

}  // namespace

void answer_question(Invocation& invocation, RunOptions& run, const SingleQuestion& question) {
  ProcessWorld& world = invocation.world();
  require_one_replica(world, run.parallel);
  const ProcessGroups groups = start_groups(invocation, run);
  const bool speaks = world.rank() == 0;

  const TextModel text = TextModel::open(run.model.path);
  const PromptTemplate prompt = PromptTemplate::load(run.prompts, run.thoughts.prompt);
  const RowBuilder builder(text.tokenizer, text.family, prompt);
  Record record;
  record.id = "question";
  record.question = question.text;

  if (speaks) warn_of_generation_config(run.model.path, question.generation.sampling, "");
  Transformer backbone(run.model.path, run.model.load, *groups.tp);
  SoftPromptModel model(backbone, run.train.work);
  GenerationRequest request;
  request.seed = question.seed;
  std::optional<Thinking> thinking;
  SoftRow row = to_soft_row(builder.backbone_prompt(record, 0));
  if (!run.folder.empty()) {
    thinking = load_thinking(run, question, prompt, text.config);
    const TrainedRun& trained = thinking->trained;
    require_backbone(trained, model_hash(text.path, *groups.world));
    require_tokenizer(trained, text.tokenizer);
    const at::NoGradGuard no_grad;
    at::Tensor states;
    if (trained.parts.projection) states = states_of(run, *thinking, record, prompt, groups);
    if (trained.parts.lora) model.set_lora(&*trained.parts.lora);
    if (method_of(trained.method()).full) load_trained_weights(trained, backbone);
    row = to_soft_row(prompt_row(builder, record, *thinking));
    request.soft = trained.parts.soft(model, {row}, states);
    log_info("{} with {} placeholders, from {}", method_of(trained.method()).title,
             row.thought_count, trained.checkpoint.string());
  }
  request.prompt = share_prompt(std::move(row));
  if (question.show_thoughts && request.soft.defined()) {
    const ThoughtTable table = describe_thoughts(backbone, request.soft);
    if (speaks) write_standard_output(format_thoughts(table, text.tokenizer) + "\n");
  }
  GenerationOptions options = question.generation;
  if (!question.ignore_stop) options.stop_tokens = builder.tokens().stop;
  const auto& stops = options.stop_tokens;
  StreamDecoder stream(text.tokenizer);
  const auto write_token = [&](std::size_t, std::int64_t id) {
    const bool stop = std::find(stops.begin(), stops.end(), id) != stops.end();
    const std::string words = stop ? "" : stream.push(id);
    if (speaks && !words.empty()) write_standard_output(words);
  };
  const auto start = std::chrono::steady_clock::now();
  const auto finish = [&](std::size_t, const Generation& result) {
    if (!speaks) return;
    write_standard_output(stream.finish() + "\n");
    log_end(result,
            std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  };
  generate(model, {request}, options, finish, write_token);
}

}  // namespace softcot
