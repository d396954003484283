#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <optional>

#include "data/sampler.h"
#include "evaluation/question.h"
#include "evaluation/result_table.h"
#include "launch/commands/commands.h"
#include "launch/open_thoughts.h"
#include "launch/run_data.h"
#include "launch/run_folder.h"
#include "launch/run_options.h"
#include "launch/sample_parts.h"
#include "launch/standard_output.h"
#include "launch/threads.h"
#include "launch/trained_model.h"
#include "runtime/hash.h"
#include "runtime/log.h"
#include "runtime/progress.h"
#include "trainer/train_data.h"

namespace softcot {
namespace {

constexpr const char* kZeroShot = "zero_shot_cot";
constexpr const char* kSoftCot = "softcot";

std::string title_of(const std::string& method) {
  return method == kZeroShot ? "Zero-shot CoT" : "SoftCoT";
}

std::string projection_hash(const Projection& projection) {
  Hasher hasher;
  for (const auto* tensor : {&projection.weight(), &projection.bias()}) {
    hasher.add(std::as_bytes(
        std::span(tensor->const_data_ptr<float>(), static_cast<std::size_t>(tensor->numel()))));
  }
  return hasher.hex();
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
        split_(*eval_split(run.data)),
        backbone_(run.model.path, run.model.load, *groups.tp) {
    provenance_.prompt_hash = prompt_.content_hash();
    provenance_.model_hashes["backbone"] = backbone_hash_;
    provenance_.versions["softcot"] = SOFTCOT_VERSION;
  }

  /// All samples of one method end up in its file.
  void run_method(const std::string& method) {
    const auto questions = method == kZeroShot ? zero_shot_questions() : softcot_questions();
    const SampleParts parts{run_.folder / "samples", method, sample_key(method)};
    const bool first = groups_.world->rank() == 0;
    if (first) parts.merge();
    groups_.world->barrier();
    const auto completed = parts.completed();

    SoftPromptModel model(backbone_, run_.train.work);
    model.share_prefix(shared_prefix(rows_));
    const auto mine = share(questions);
    std::optional<SampleLog> log;
    if (groups_.tp_index == 0) log.emplace(parts.part(groups_.dp_index), parts.key);
    // Replicas have equal shares: rank 0's tells of all.
    Progress progress("evaluate " + method,
                      mine.size() * static_cast<std::uint64_t>(run_.evaluate.samples), "samples",
                      first);
    QuestionOptions options;
    options.generation = run_.evaluate.generation;
    options.generation.stop_tokens = builder_.tokens().stop;
    options.seed = run_.evaluate.seed;
    options.samples = run_.evaluate.samples;
    answer_questions(model, text_.tokenizer, mine, options, completed, [&](const Sample& sample) {
      if (log) log->append(sample);
      progress.advance(1);
    });
    progress.finish();
    if (log) log->flush();
    log.reset();
    groups_.world->barrier();
    if (first) parts.merge();
  }

  const Provenance& provenance() const { return provenance_; }

 private:
  SplitRows make_rows(std::int64_t thoughts) {
    SplitRows rows = backbone_rows(builder_, split_, thoughts, run_.data);
    rows_ = rows.rows;
    return rows;
  }

  std::vector<Question> zero_shot_questions() {
    const SplitRows rows = make_rows(0);
    std::vector<Question> questions;
    for (std::size_t i = 0; i < rows.rows.size(); ++i) {
      questions.push_back({split_.records[rows.records[i]], to_soft_row(rows.rows[i]), {}});
    }
    return questions;
  }

  std::vector<Question> softcot_questions() {
    const at::NoGradGuard no_grad;
    const std::int64_t count = run_.thoughts.count_in_evaluation();
    const TextModel assistant = TextModel::open(assistant_of(run_).path);
    const std::string hash =
        assistant.path == text_.path ? backbone_hash_ : model_hash(assistant.path, *groups_.world);
    const auto key = thought_key(run_, assistant, hash, prompt_, split_, count);
    SplitRows rows = make_rows(count);
    const auto records = rows.records;
    ThoughtRows thoughts(rows.rows, records, open_thoughts(run_, key));
    const TrainedProjection trained = load_projection(run_.folder);
    require_trained_alike(trained, key);
    log_info("projection from {}", trained.checkpoint.string());
    projection_hash_ = projection_hash(trained.projection);
    provenance_.model_hashes["assistant"] = hash;
    provenance_.model_hashes["projection"] = projection_hash_;
    provenance_.trained_parameters = {
        fmt::format("projection.weight [{}, {}]", trained.projection.backbone_width(),
                    trained.projection.assistant_width()),
        fmt::format("projection.bias [{}]", trained.projection.backbone_width())};
    std::vector<Question> questions;
    for (std::int64_t i = 0; i < thoughts.size(); ++i) {
      questions.push_back({split_.records[records[i]], thoughts.row(i),
                           trained.projection.forward(thoughts.thoughts(i))});
    }
    return questions;
  }

  /// The projection must have been trained between these two models.
  void require_trained_alike(const TrainedProjection& trained, const ThoughtCacheKey& key) const {
    const auto& thoughts = trained.identity.at("thoughts");
    require_trained_with(trained, "backbone", backbone_hash_,
                         trained.identity.at("backbone").at("hash").get<std::string>());
    require_trained_with(trained, "assistant", key.assistant_hash,
                         thoughts.at("assistant_hash").get<std::string>());
    require_trained_with(trained, "number of assistant layers",
                         std::to_string(key.assistant_layers),
                         std::to_string(thoughts.at("assistant_layers").get<std::int64_t>()));
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

  std::string sample_key(const std::string& method) const {
    const auto& evaluate = run_.evaluate;
    return hash_bytes(fmt::format(
        "{} {} {} {} {} {} {} {} {} {} {} {} {}", method, backbone_hash_,
        toString(run_.model.load.dtype), prompt_.content_hash(), split_.content_hash(),
        run_.data.max_length, method == kZeroShot ? 0 : run_.thoughts.count_in_evaluation(),
        method == kZeroShot ? "" : projection_hash_, evaluate.generation.max_new_tokens,
        evaluate.generation.sampling.temperature, evaluate.generation.sampling.top_p, evaluate.seed,
        kExtractorVersion));
  }

  const RunOptions& run_;
  const ProcessGroups& groups_;
  TextModel text_;
  std::string backbone_hash_;
  PromptTemplate prompt_;
  RowBuilder builder_;
  Split split_;
  Transformer backbone_;
  std::vector<Row> rows_;
  std::string projection_hash_;
  Provenance provenance_;
};

}  // namespace

ExitCode run_evaluate(Invocation& invocation) {
  RunOptions run;
  OptionSet options("evaluate", "Compare methods on held-out questions.");
  add_run_options(options, run,
                  {"model", "assistant", "parallel", "data", "thoughts", "train", "evaluate", "run",
                   "prompts"});
  options.set_notes(
      "For each method: the likelihood of the reference rationale and answer, and the model's own\n"
      "answers. Samples go to samples/METHOD.jsonl as they come; a stopped evaluation goes on "
      "from\n"
      "them. The table is printed and saved as results.json.");
  options.add_example("mpirun -n 2 softcot evaluate --config configs/quickstart.cfg",
                      "two ranks share the questions");
  if (!invocation.read(options)) return ExitCode::kOk;
  if (run.data.eval_file.empty()) {
    fail(ExitCode::kUsage, {.what = "no held-out questions",
                            .where = "data.eval-file",
                            .fix = "name a file with --data.eval-file"});
  }

  ProcessWorld& world = invocation.world();
  const ProcessGroups groups = start_groups(invocation, run.parallel);
  std::optional<RunFolder> folder;
  if (world.rank() == 0) {
    folder.emplace(run.folder, options, RunFolder::Reuse::kAnyConfig, "evaluate.cfg");
  }
  groups.world->barrier();

  Evaluation evaluation(run, groups);
  if (folder) folder->save_config();
  for (const auto& method : run.evaluate.methods) evaluation.run_method(method);
  if (world.rank() != 0) return ExitCode::kOk;

  std::vector<MethodSamples> samples;
  const RunPaths paths{run.folder};
  for (const auto& method : run.evaluate.methods) {
    samples.push_back({method, title_of(method), read_samples(paths.samples(method))});
  }
  const Comparison comparison = compare_methods(samples, {});
  Provenance provenance = evaluation.provenance();
  provenance.config_hash = fmt::format("{:016x}", options.values_hash());
  write_results(paths.results(), comparison, provenance);
  write_standard_output(format_table(comparison));
  return ExitCode::kOk;
}

}  // namespace softcot
