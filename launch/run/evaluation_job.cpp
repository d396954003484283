#include "launch/run/evaluation_job.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <numeric>
#include <span>

#include "data/row_text.h"
#include "data/sampler.h"
#include "evaluation/work_log.h"
#include "launch/run/open_thoughts.h"
#include "launch/run/run_folder.h"
#include "launch/run/written_thoughts.h"
#include "model/shard_plan.h"
#include "runtime/counted.h"
#include "runtime/hash.h"
#include "runtime/log.h"
#include "runtime/progress.h"

namespace softcot {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

EvaluationJob::EvaluationJob(const RunOptions& run, const ProcessGroups& groups)
    : run_(run),
      groups_(groups),
      text_(TextModel::open(run.model.path)),
      backbone_hash_(model_hash(text_.path, *groups.world)),
      prompt_(PromptTemplate::load(run.prompts, run.thoughts.prompt)),
      builder_(text_.tokenizer, text_.family, prompt_),
      split_(*eval_split(run.data)),
      set_aside_(run.folder) {
  provenance_.task = run.data.task;
  provenance_.prompt_hash = prompt_.content_hash();
  provenance_.data_hashes["questions"] = split_.content_hash();
  provenance_.model_hashes["backbone"] = backbone_hash_;
  provenance_.versions["softcot"] = SOFTCOT_VERSION;
}

std::size_t EvaluationJob::run(const Contestant& contestant) {
  open_backbone();
  if (contestant.method->written) provenance_.prompt_hash = prompt_.written_hash();
  auto questions = questions_of(contestant);
  const std::string rows_hash = content_hash(rows_);
  require_same(*groups_.world, rows_hash, "the questions");
  const std::size_t skipped = split_.records.size() - questions.size();
  const SampleParts parts{run_.folder / "samples", contestant.name,
                          sample_key(contestant, rows_hash)};
  const bool first = groups_.world->rank() == 0;
  if (first) {
    make_room(parts);
    parts.merge();
    write_prompts(RunPaths{run_.folder}.prompts(contestant.name), prompts_of(questions));
  }
  groups_.world->barrier();
  const auto completed = parts.completed();

  SoftPromptModel model(*backbone_, run_.train.work);
  if (trained_ && trained_->parts.lora) model.set_lora(&*trained_->parts.lora);
  model.share_prefix(shared_prefix(rows_));
  auto mine = share(questions);
  if (trained_ && contestant.method->coconut) fill_latents(model, mine);
  std::optional<SampleLog> log;
  if (groups_.tp_index == 0) log.emplace(parts.part(groups_.dp_index), parts.key);
  const QuestionOptions options = question_options(contestant);
  // Replicas have equal shares: rank 0's tells of all.
  Progress progress(fmt::format("evaluate {}", contestant.name),
                    mine.size() * static_cast<std::uint64_t>(options.seeds * options.samples),
                    "samples", first);
  const auto start = std::chrono::steady_clock::now();
  const auto work =
      answer_questions(model, text_.tokenizer, mine, options, completed, [&](const Sample& sample) {
        if (log) log->append(sample);
        progress.advance(1);
      });
  progress.finish();
  log_info("{}: read {} prompt tokens of {} questions, wrote {}", contestant.title,
           work.prompt_tokens, mine.size(), work.new_tokens);
  if (log) log->flush();
  log.reset();
  const auto new_tokens = reduce_scalar(*groups_.world, work.new_tokens, ReduceOp::kSum);
  if (!first) return skipped;
  parts.merge();
  const auto all = static_cast<std::int64_t>(questions.size()) * options.seeds * options.samples;
  const auto rows = all - static_cast<std::int64_t>(completed.size());
  if (rows <= 0) return skipped;
  append_work(RunPaths{run_.folder}.work(),
              {.command = "evaluate",
               .method = contestant.name,
               .seconds = seconds_since(start),
               .rows = rows,
               .new_tokens = new_tokens / groups_.mesh.tp(),
               .ranks = groups_.world->size(),
               .tp = groups_.mesh.tp(),
               .threads = at::get_num_threads(),
               .device = backbone_->device().is_cpu() ? "cpu" : "cuda",
               .machine = {}});
  return skipped;
}

/// Sets aside what was answered under other settings, and takes back what was set aside under
/// these.
void EvaluationJob::make_room(const SampleParts& parts) {
  for (const auto& file : parts.of_other_keys()) {
    for (const auto& each :
         {std::filesystem::path("samples") / file.filename(), "prompts" / parts.whole().filename(),
          std::filesystem::path("results.json"), std::filesystem::path("results.csv"),
          std::filesystem::path("results.md")}) {
      set_aside_.take(each, file.filename().string() +
                                " was made under other settings, or from another checkpoint");
    }
  }
  const auto before = samples_set_aside(run_.folder, parts);
  const std::size_t added = before.empty() ? 0 : parts.add(before);
  if (added > 0) {
    log_info("reusing {} of these settings from {}", counted(added, "sample"),
             before.front().string());
  }
}

void EvaluationJob::check(const Contestant& contestant) {
  if (!contestant.method->trained()) return;
  const TrainedRun trained = load_contestant(contestant);
  if (groups_.world->rank() == 0 && warned_.insert(contestant.method->name).second) {
    warn_of_cut_vectors(trained, run_.thoughts.count_in_evaluation());
  }
  if (contestant.method->projection) thoughts_for(trained);
}

/// The backbone as it was given: full fine-tuning of another contestant is undone.
void EvaluationJob::open_backbone() {
  if (backbone_ && !(trained_ && method_of(trained_->method()).full)) return;
  backbone_.reset();
  backbone_ = std::make_unique<Transformer>(run_.model.path, run_.model.load, *groups_.tp);
  provenance_.parameters["backbone"] = backbone_->parameters();
}

TrainedRun EvaluationJob::load_contestant(const Contestant& contestant) const {
  std::optional<std::uint64_t> step;
  if (contestant.stage) step = static_cast<std::uint64_t>(contestant.stage->end);
  TrainedRun trained = load_trained(trained_folder(run_), text_.config, step);
  require_trained_with(trained, "method", contestant.method->name, trained.method());
  require_backbone(trained, backbone_hash_);
  require_tokenizer(trained, text_.tokenizer);
  return trained;
}

/// What the contestant was trained to, if it was; of full fine-tuning into the backbone itself.
void EvaluationJob::open_trained(const Contestant& contestant) {
  trained_.reset();
  const Method& method = *contestant.method;
  if (!method.trained()) return;
  trained_.emplace(load_contestant(contestant));
  provenance_.trained_on = task_of_run(trained_folder(run_));
  log_info("{} from {}, trained on {}, evaluated on {}", method.title,
           trained_->checkpoint.string(), provenance_.trained_on, run_.data.task);
  note_trained();
  if (method.full) load_trained_weights(*trained_, *backbone_);
}

void EvaluationJob::note_trained() {
  provenance_.trained_parameters = parameter_summary(trained_->parts);
  provenance_.model_hashes["trained"] = trained_->content_hash;
  const bool full = method_of(trained_->method()).full;
  provenance_.parameters["trained"] =
      full ? backbone_->parameters() : trained_->parts.parameter_count();
  if (const auto rows = trained_->identity.find("rows"); rows != trained_->identity.end()) {
    provenance_.data_hashes["trained on"] = rows->at("hash").get<std::string>();
  }
}

/// Records the assistant that a contestant depends on. Collective over the world.
std::string EvaluationJob::note_assistant(const TextModel& assistant) {
  if (assistant_hash_.empty()) {
    assistant_hash_ =
        assistant.path == text_.path ? backbone_hash_ : model_hash(assistant.path, *groups_.world);
  }
  ModelConfig config = assistant.config;
  if (run_.assistant.load.layers > 0) config.layers = run_.assistant.load.layers;
  provenance_.model_hashes["assistant"] = assistant_hash_;
  provenance_.parameters["assistant"] = parameter_count(config);
  return assistant_hash_;
}

/// The prompts in words, one for each question.
std::vector<PromptText> EvaluationJob::prompts_of(const std::vector<Question>& questions) const {
  std::vector<PromptText> prompts;
  for (std::size_t i = 0; i < questions.size(); ++i) {
    Row row = rows_[i];
    row.ids.resize(static_cast<std::size_t>(questions[i].prompt_tokens()));
    row.target_begin = row.length();
    prompts.push_back({questions[i].record.id, prompt_hash(questions[i]),
                       row_text(row_runs(text_.tokenizer, text_.family, row), RowMarks::kPlain)});
  }
  return prompts;
}

/// What the contestant puts to the backbone.
std::vector<Question> EvaluationJob::questions_of(const Contestant& contestant) {
  const at::NoGradGuard no_grad;
  const Method& method = *contestant.method;
  open_trained(contestant);
  const std::int64_t count = method.placeholders ? run_.thoughts.count_in_evaluation() : 0;
  SplitRows rows = rows_of(contestant, count);
  rows_ = rows.rows;
  std::optional<ThoughtRows> thoughts;
  if (method.written) note_assistant(TextModel::open(assistant_of(run_).path));
  if (method.projection) thoughts.emplace(rows.rows, rows.records, thoughts_for(*trained_));

  std::vector<Question> questions;
  for (std::size_t i = 0; i < rows.rows.size(); ++i) {
    Question question{split_.records[rows.records[i]], to_soft_row(rows.rows[i]), {}};
    if (trained_ && !method.coconut) {
      const auto states =
          thoughts ? thoughts->thoughts(static_cast<std::int64_t>(i)) : at::Tensor();
      question.soft = trained_->parts.soft(SoftPromptModel(*backbone_, run_.train.work),
                                           {question.row}, states);
    }
    if (contestant.quirks.no_generation_prompt) question.unopened = opening_of(question.row);
    // Placeholders that nothing fills are read as the tokens they are.
    if (!question.soft.defined() && !method.coconut) question.row.thought_count = 0;
    questions.push_back(std::move(question));
  }
  return questions;
}

/// The tokens at the end of a prompt that open the turn; 0 where more than words stands there.
std::int64_t EvaluationJob::opening_of(const SoftRow& row) const {
  const auto& opening = builder_.turn_opening();
  const auto size = static_cast<std::int64_t>(opening.size());
  const bool ends_so =
      row.target_begin > size &&
      std::equal(opening.begin(), opening.end(), row.ids.begin() + row.target_begin - size);
  return ends_so ? size : 0;
}

SplitRows EvaluationJob::rows_of(const Contestant& contestant, std::int64_t thoughts) const {
  if (contestant.method->coconut) {
    return latent_questions(builder_, split_, curriculum_of(*trained_), contestant.stage->number,
                            run_.data);
  }
  if (contestant.method->written) {
    return written_rows(builder_, split_, written_thoughts(run_, split_, prompt_, groups_),
                        run_.data);
  }
  return backbone_rows(builder_, split_, thoughts, run_.data);
}

QuestionOptions EvaluationJob::question_options(const Contestant& contestant) const {
  QuestionOptions options;
  options.generation = run_.evaluate.generation;
  options.generation.stop_tokens = builder_.tokens().stop;
  options.seed = run_.evaluate.seed;
  options.one_noise_stream = contestant.quirks.one_noise_stream;
  if (contestant.greedy) {
    options.generation.sampling = greedy(run_.evaluate.generation.sampling);
  } else {
    options.seeds = run_.evaluate.seeds;
    options.samples = run_.evaluate.samples;
  }
  // Greedy samples are the same whatever is said of drawing.
  if (options.generation.sampling.temperature == 0) {
    options.seed = 0;
    options.generation.sampling = greedy(options.generation.sampling);
  }
  return options;
}

/// Coconut's thoughts of the questions, some questions at a time.
void EvaluationJob::fill_latents(const SoftPromptModel& model,
                                 std::vector<Question>& questions) const {
  const at::NoGradGuard no_grad;
  const auto batch = static_cast<std::size_t>(run_.evaluate.generation.rows_in_flight);
  for (std::size_t begin = 0; begin < questions.size(); begin += batch) {
    const std::size_t end = std::min(questions.size(), begin + batch);
    std::vector<SoftRow> rows;
    for (std::size_t i = begin; i < end; ++i) rows.push_back(questions[i].row);
    const auto soft = trained_->parts.soft(model, rows, {});
    if (!soft.defined()) continue;
    std::int64_t at = 0;
    for (std::size_t i = begin; i < end; ++i) {
      questions[i].soft = soft.narrow(0, at, rows[i - begin].thought_count);
      at += rows[i - begin].thought_count;
    }
  }
}

/// The cached thoughts of the questions, of the assistant that the projection was trained with.
ThoughtCache EvaluationJob::thoughts_for(const TrainedRun& trained) {
  const TextModel assistant = TextModel::open(assistant_of(run_).path);
  const std::string hash = note_assistant(assistant);
  const auto key =
      thought_key(run_, assistant, hash, prompt_, split_, run_.thoughts.count_in_evaluation());
  require_assistant(trained, hash, key.assistant_layers);
  provenance_.data_hashes["thoughts"] = short_hash(key);
  return open_thoughts(run_, key);
}

/// This replica's questions.
std::vector<Question> EvaluationJob::share(const std::vector<Question>& questions) const {
  std::vector<std::int64_t> all(questions.size());
  std::iota(all.begin(), all.end(), 0);
  std::vector<Question> mine;
  for (const auto i : rank_share(all, groups_.dp_index, groups_.mesh.dp())) {
    mine.push_back(questions[i]);
  }
  return mine;
}

std::string EvaluationJob::sample_key(const Contestant& contestant,
                                      const std::string& rows_hash) const {
  const Method& method = *contestant.method;
  const auto options = question_options(contestant);
  const auto& generation = options.generation;
  std::string key = fmt::format(
      "{} {} {} {} {} {} {} {} {} {} {} {} {} {}", method.name, backbone_hash_,
      text_.tokenizer.content_hash(), toString(run_.model.load.dtype), prompt_.content_hash(),
      rows_hash, run_.data.max_length,
      method.placeholders ? run_.thoughts.count_in_evaluation() : 0,
      trained_ ? trained_->content_hash : "", generation.max_new_tokens,
      generation.sampling.temperature, generation.sampling.top_p, options.seed, kExtractorVersion);
  key += sampling_key(generation.sampling);
  if (options.seeds > 1) key += fmt::format(" {}", options.samples);
  for (const Record& record : split_.records) {
    key += fmt::format(" {}", answer_type_name(record.type));
  }
  if (method.projection) key += " " + provenance_.data_hashes.at("thoughts");
  if (contestant.quirks != ScoringQuirks{}) key += " " + quirks_name(contestant.quirks);
  return hash_bytes(key);
}

}  // namespace softcot
