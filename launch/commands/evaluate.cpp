#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <optional>
#include <span>

#include "data/sampler.h"
#include "evaluation/question.h"
#include "evaluation/result_table.h"
#include "launch/commands/commands.h"
#include "launch/method.h"
#include "launch/open_thoughts.h"
#include "launch/run_data.h"
#include "launch/run_folder.h"
#include "launch/run_options.h"
#include "launch/sample_parts.h"
#include "launch/standard_output.h"
#include "launch/threads.h"
#include "launch/trained_model.h"
#include "launch/written_thoughts.h"
#include "runtime/hash.h"
#include "runtime/log.h"
#include "runtime/progress.h"
#include "trainer/train_data.h"

namespace softcot {
namespace {

/// A method as it is put to the test: of Coconut perhaps after an earlier stage.
struct Contestant {
  const Method* method;
  std::string name;  ///< Of its sample file.
  std::string title;
  std::optional<Stage> stage;
  bool greedy = false;  ///< At temperature 0, whatever the options say.
  ScoringQuirks quirks = {};
  std::string baseline = {};  ///< The sample file that it is compared with.
};

const std::filesystem::path& trained_folder(const RunOptions& run) {
  return run.evaluate.trained.empty() ? run.folder : run.evaluate.trained;
}

/// The method itself, or what became of it stage after stage.
std::vector<Contestant> contestants_of(const RunOptions& run, const std::string& name) {
  const Method& method = method_of(name);
  const auto& greedy = run.evaluate.also_greedy;
  if (!method.coconut) {
    std::vector<Contestant> all = {{&method, method.name, method.title, std::nullopt}};
    if (std::find(greedy.begin(), greedy.end(), name) != greedy.end()) {
      all.push_back(
          {&method, name + "-greedy", fmt::format("{}, greedy", method.title), std::nullopt, true});
    }
    return all;
  }
  std::vector<Contestant> all;
  for (const Stage& stage :
       stages_of(load_trained(trained_folder(run), read_model_config(run.model.path)))) {
    all.push_back({&method, fmt::format("{}-stage-{}", name, stage.number),
                   fmt::format("{}, stage {}", method.title, stage.number), stage});
  }
  all.back().name = method.name;
  all.back().title = method.title;
  if (!run.evaluate.every_stage) all.erase(all.begin(), all.end() - 1);
  return all;
}

/// The ways in which evaluate.compat wants each method scored.
std::vector<ScoringQuirks> ways_of(const std::vector<std::string>& compat) {
  std::vector<ScoringQuirks> ways;
  const auto quirks = quirks_of<ScoringQuirks>(compat);
  const bool strict = std::find(compat.begin(), compat.end(), "strict") != compat.end();
  if (strict || quirks == ScoringQuirks{}) ways.emplace_back();
  if (quirks != ScoringQuirks{}) ways.push_back(quirks);
  return ways;
}

/// What is compared, in the order of the table.
std::vector<Contestant> all_contestants(const RunOptions& run) {
  const std::string baseline = "zero_shot_cot";
  std::vector<Contestant> all;
  for (const ScoringQuirks& quirks : ways_of(run.evaluate.compat)) {
    for (const auto& method : run.evaluate.methods) {
      for (Contestant contestant : contestants_of(run, method)) {
        contestant.baseline = baseline;
        if (quirks != ScoringQuirks{}) {
          const std::string name = quirks_name(quirks);
          contestant.name += "-" + name;
          contestant.title += fmt::format(" ({} scoring)", name);
          contestant.baseline += "-" + name;
          contestant.quirks = quirks;
        }
        all.push_back(std::move(contestant));
      }
    }
  }
  return all;
}

/// What a run made for another task is asked here goes to a folder of its own inside of it.
void settle_transfer(RunOptions& run) {
  const std::string task = task_of_run(run.folder);
  if (!run.evaluate.trained.empty() || task.empty() || task == run.data.task) return;
  run.evaluate.trained = run.folder;
  run.folder = RunPaths{run.folder}.transfer(run.data.task);
  log_info("{} is a run on {}: its results on {} go to {}", run.evaluate.trained.string(), task,
           run.data.task, run.folder.string());
}

/// One evaluation job, the same on every rank.
class Evaluation {
 public:
  Evaluation(const RunOptions& run, const ProcessGroups& groups)
      : run_(run),
        groups_(groups),
        text_(TextModel::open(run.model.path)),
        backbone_hash_(model_hash(text_.path, *groups.world)),
        prompt_(PromptTemplate::load(run.prompts, run.thoughts.prompt)),
        builder_(text_.tokenizer, text_.family, prompt_),
        split_(*eval_split(run.data)) {
    provenance_.task = run.data.task;
    provenance_.prompt_hash = prompt_.content_hash();
    provenance_.model_hashes["backbone"] = backbone_hash_;
    provenance_.versions["softcot"] = SOFTCOT_VERSION;
  }

  /// All samples of one method end up in its file.
  void run(const Contestant& contestant) {
    open_backbone();
    auto questions = questions_of(contestant);
    const SampleParts parts{run_.folder / "samples", contestant.name, sample_key(contestant)};
    const bool first = groups_.world->rank() == 0;
    if (first) parts.merge();
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
    const auto work = answer_questions(model, text_.tokenizer, mine, options, completed,
                                       [&](const Sample& sample) {
                                         if (log) log->append(sample);
                                         progress.advance(1);
                                       });
    progress.finish();
    log_info("{}: read {} prompt tokens of {} questions, wrote {}", contestant.title,
             work.prompt_tokens, mine.size(), work.new_tokens);
    if (log) log->flush();
    log.reset();
    groups_.world->barrier();
    if (first) parts.merge();
  }

  const Provenance& provenance() const { return provenance_; }

 private:
  /// The backbone as it was given: full fine-tuning of another contestant is undone.
  void open_backbone() {
    if (backbone_ && !(trained_ && method_of(trained_->method()).full)) return;
    backbone_.reset();
    backbone_ = std::make_unique<Transformer>(run_.model.path, run_.model.load, *groups_.tp);
  }

  /// What the contestant puts to the backbone; what it was trained to is kept in `trained_`.
  std::vector<Question> questions_of(const Contestant& contestant) {
    const at::NoGradGuard no_grad;
    const Method& method = *contestant.method;
    trained_.reset();
    if (method.trained()) {
      std::optional<std::uint64_t> step;
      if (contestant.stage) step = static_cast<std::uint64_t>(contestant.stage->end);
      trained_.emplace(load_trained(trained_folder(run_), backbone_->config(), step));
      require_trained_with(*trained_, "method", method.name, trained_->method());
      require_backbone(*trained_, backbone_hash_);
      provenance_.trained_on = task_of_run(trained_folder(run_));
      log_info("{} from {}, trained on {}, evaluated on {}", method.title,
               trained_->checkpoint.string(), provenance_.trained_on, run_.data.task);
      provenance_.trained_parameters = parameter_summary(trained_->parts);
      provenance_.model_hashes["trained"] = trained_->content_hash;
      if (method.full) load_trained_weights(*trained_, *backbone_);
    }
    const std::int64_t count = method.placeholders ? run_.thoughts.count_in_evaluation() : 0;
    SplitRows rows = rows_of(contestant, count);
    rows_ = rows.rows;
    std::optional<ThoughtRows> thoughts;
    if (method.projection) thoughts.emplace(open_thoughts_of(rows, count));

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
  std::int64_t opening_of(const SoftRow& row) const {
    const auto& opening = builder_.turn_opening();
    const auto size = static_cast<std::int64_t>(opening.size());
    const bool ends_so =
        row.target_begin > size &&
        std::equal(opening.begin(), opening.end(), row.ids.begin() + row.target_begin - size);
    return ends_so ? size : 0;
  }

  SplitRows rows_of(const Contestant& contestant, std::int64_t thoughts) const {
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

  QuestionOptions question_options(const Contestant& contestant) const {
    QuestionOptions options;
    options.generation = run_.evaluate.generation;
    options.generation.stop_tokens = builder_.tokens().stop;
    options.seed = run_.evaluate.seed;
    options.one_noise_stream = contestant.quirks.one_noise_stream;
    if (contestant.greedy) {
      options.generation.sampling = {};
    } else {
      options.seeds = run_.evaluate.seeds;
      options.samples = run_.evaluate.samples;
    }
    return options;
  }

  /// Coconut's thoughts of the questions, some questions at a time.
  void fill_latents(const SoftPromptModel& model, std::vector<Question>& questions) const {
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
  ThoughtRows open_thoughts_of(const SplitRows& rows, std::int64_t count) {
    const TextModel assistant = TextModel::open(assistant_of(run_).path);
    const std::string hash =
        assistant.path == text_.path ? backbone_hash_ : model_hash(assistant.path, *groups_.world);
    const auto key = thought_key(run_, assistant, hash, prompt_, split_, count);
    require_assistant(*trained_, hash, key.assistant_layers);
    provenance_.model_hashes["assistant"] = hash;
    return {rows.rows, rows.records, open_thoughts(run_, key)};
  }

  /// This replica's questions.
  std::vector<Question> share(const std::vector<Question>& questions) const {
    std::vector<std::int64_t> all(questions.size());
    std::iota(all.begin(), all.end(), 0);
    std::vector<Question> mine;
    for (const auto i : rank_share(all, groups_.dp_index, groups_.mesh.dp())) {
      mine.push_back(questions[i]);
    }
    return mine;
  }

  std::string sample_key(const Contestant& contestant) const {
    const Method& method = *contestant.method;
    const auto options = question_options(contestant);
    const auto& generation = options.generation;
    std::string key = fmt::format(
        "{} {} {} {} {} {} {} {} {} {} {} {} {}", method.name, backbone_hash_,
        toString(run_.model.load.dtype), prompt_.content_hash(), split_.content_hash(),
        run_.data.max_length, method.placeholders ? run_.thoughts.count_in_evaluation() : 0,
        trained_ ? trained_->content_hash : "", generation.max_new_tokens,
        generation.sampling.temperature, generation.sampling.top_p, options.seed,
        kExtractorVersion);
    if (options.seeds > 1) key += fmt::format(" {}", options.samples);
    if (method.written) {
      for (const Row& row : rows_) key += hash_bytes(std::as_bytes(std::span(row.ids)));
    }
    if (contestant.quirks != ScoringQuirks{}) key += " " + quirks_name(contestant.quirks);
    return hash_bytes(key);
  }

  const RunOptions& run_;
  const ProcessGroups& groups_;
  TextModel text_;
  std::string backbone_hash_;
  PromptTemplate prompt_;
  RowBuilder builder_;
  Split split_;
  std::unique_ptr<Transformer> backbone_;
  std::vector<Row> rows_;
  std::optional<TrainedRun> trained_;
  Provenance provenance_;
};

}  // namespace

ExitCode run_evaluate(Invocation& invocation) {
  RunOptions run;
  OptionSet options("evaluate", "Compare methods on held-out questions.");
  add_run_options(options, run,
                  {"model", "assistant", "parallel", "data", "thoughts", "train", "evaluate", "run",
                   "prompts"});
  options.find("data.file")->required = false;
  options.set_notes(
      "For each method: the likelihood of the reference rationale and answer, and the model's own\n"
      "answers. Samples go to samples/METHOD.jsonl as they come; a stopped evaluation goes on "
      "from\n"
      "them. The table is printed and saved as results.json, results.csv and results.md. A run "
      "that was\n"
      "trained on another task is evaluated in its folder on-TASK.");
  options.add_example("mpirun -n 2 softcot evaluate --config configs/quickstart.cfg",
                      "two ranks share the questions");
  if (!invocation.read(options)) return ExitCode::kOk;
  require_eval(run.data);
  settle_transfer(run);

  ProcessWorld& world = invocation.world();
  const ProcessGroups groups = start_groups(invocation, run.parallel);
  std::optional<RunFolder> folder;
  if (world.rank() == 0) {
    folder.emplace(run.folder, options, RunFolder::Reuse::kAnyConfig, "evaluate.cfg");
  }
  groups.world->barrier();

  Evaluation evaluation(run, groups);
  if (folder) folder->save_config();
  std::vector<MethodSamples> samples;
  const RunPaths paths{run.folder};
  for (const Contestant& contestant : all_contestants(run)) {
    evaluation.run(contestant);
    if (world.rank() != 0) continue;
    samples.push_back({contestant.name, contestant.title,
                       read_samples(paths.samples(contestant.name)),
                       static_cast<std::size_t>(contestant.greedy ? 1 : run.evaluate.seeds),
                       contestant.quirks, contestant.baseline});
  }
  if (world.rank() != 0) return ExitCode::kOk;
  ComparisonOptions how;
  how.baseline = samples.front().baseline;
  const Comparison comparison = compare_methods(samples, how);
  Provenance provenance = evaluation.provenance();
  provenance.config_hash = fmt::format("{:016x}", options.values_hash());
  write_results(paths.results(), comparison, provenance);
  write_standard_output(format_table(comparison));
  if (!provenance.trained_on.empty() && provenance.trained_on != provenance.task) {
    write_standard_output(fmt::format("Transfer: trained on {}, evaluated on {}.\n",
                                      provenance.trained_on, provenance.task));
  }
  return ExitCode::kOk;
}

}  // namespace softcot
