#include "launch/sweep/cell_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "launch/run/run_data.h"
#include "launch/run/training_stages.h"
#include "model/shard_plan.h"
#include "model/trainable.h"
#include "runtime/mesh.h"

namespace softcot {
namespace {

/// Questions of a split whose rows are made: those with most words.
constexpr std::size_t kTriedQuestions = 4;

/// What a call returned, or the error that it ended with.
template <typename Value>
struct Attempt {
  std::optional<Value> value;
  std::optional<Error> error;
};

template <typename Make>
auto attempt(const Make& make) -> Attempt<decltype(make())> {
  try {
    return {make(), std::nullopt};
  } catch (const Error& error) {
    return {std::nullopt, error};
  } catch (const std::filesystem::filesystem_error& error) {
    const Problem problem{.what = "cannot be looked at",
                          .where = error.path1().string(),
                          .got = error.code().message()};
    return {std::nullopt, Error(ExitCode::kInput, problem)};
  }
}

TextModel open_model(const std::filesystem::path& path) {
  TextModel model = TextModel::open(path);
  const bool weights = std::filesystem::exists(path / "model.safetensors") ||
                       std::filesystem::exists(path / "model.safetensors.index.json");
  if (!weights) {
    fail(ExitCode::kInput, {.what = "model folder without weights",
                            .where = path.string(),
                            .expected = "model.safetensors or model.safetensors.index.json"});
  }
  return model;
}

/// The questions with most bytes, which make the longest rows but for how they are cut into tokens.
enum class Tried { kLongest, kShortest };

Split some_of(const Split& split, Tried tried) {
  const auto bytes = [](const Record& record) {
    std::size_t sum = record.question.size() + record.answer.size();
    for (const auto* texts : {&record.rationale_steps, &record.choices}) {
      for (const std::string& text : *texts) sum += text.size();
    }
    return sum;
  };
  std::vector<std::pair<std::size_t, std::size_t>> order;  // bytes, position
  for (std::size_t i = 0; i < split.records.size(); ++i) {
    order.emplace_back(bytes(split.records[i]), i);
  }
  const std::size_t count = std::min(order.size(), kTriedQuestions);
  std::sort(order.begin(), order.end());
  if (tried == Tried::kLongest) std::reverse(order.begin(), order.end());
  Split some{split.name, {}};
  for (std::size_t i = 0; i < count; ++i) some.records.push_back(split.records[order[i].second]);
  return some;
}

std::string questions_key(const DataOptions& data, bool for_training) {
  const bool own_file = !for_training && !data.eval_file.empty();
  return fmt::format("{}\n{}\n{}\n{}\n{}\n{}\n{}", for_training, data.task,
                     (own_file ? data.eval_file : data.file).string(), data.train_share,
                     for_training ? data.offset : data.eval_offset,
                     for_training ? data.limit : data.eval_limit,
                     for_training ? quirks_name(data.quirks) : "");
}

/// A memo of attempts by key.
template <typename Value, typename Make>
const Attempt<Value>& once(std::map<std::string, Attempt<Value>>& memo, const std::string& key,
                           const Make& make) {
  const auto found = memo.find(key);
  return found != memo.end() ? found->second : memo.emplace(key, attempt(make)).first->second;
}

}  // namespace

struct CellChecker::Inputs {
  std::map<std::string, Attempt<TextModel>> models;
  std::map<std::string, Attempt<PromptTemplate>> prompts;
  std::map<std::string, Attempt<Split>> questions;
};

/// A cell with what it reads; null where that cannot be read.
struct CellChecker::Subject {
  const std::string& cell;
  const Method& method;
  const RunOptions& run;
  bool assisted;
  const TextModel* backbone = nullptr;
  const TextModel* assistant = nullptr;  ///< The backbone where there is no other.
  const PromptTemplate* prompt = nullptr;
  const Split* held_out = nullptr;
  const Split* training = nullptr;  ///< Null also where nothing is trained.
};

CellChecker::CellChecker(int ranks) : ranks_(ranks), inputs_(std::make_unique<Inputs>()) {}
CellChecker::~CellChecker() = default;

void CellChecker::check(const std::string& cell, const Method& method, bool trains,
                        const RunOptions& run) {
  const auto take = [&](const auto& attempt, const char* option) {
    if (attempt.error) {
      Problem problem = attempt.error->problem();
      problem.where = fmt::format("{}: {}", option, problem.where);
      add(cell, attempt.error->code(), std::move(problem));
    }
    return attempt.value ? &*attempt.value : nullptr;
  };
  const auto model = [&](const std::filesystem::path& path, const char* option) {
    return take(once(inputs_->models, path, [&] { return open_model(path); }), option);
  };
  const auto questions = [&](bool for_training) {
    const auto read = [&] { return for_training ? train_split(run.data) : *eval_split(run.data); };
    const bool own_file = !for_training && !run.data.eval_file.empty();
    return take(once(inputs_->questions, questions_key(run.data, for_training), read),
                own_file ? "data.eval-file" : "data.file");
  };
  const bool assisted = method.projection || method.written;
  Subject subject{.cell = cell, .method = method, .run = run, .assisted = assisted};
  subject.backbone = model(run.model.path, "model.path");
  const bool own_assistant = assisted && !run.assistant.path.empty();
  subject.assistant =
      own_assistant ? model(run.assistant.path, "assistant.path") : subject.backbone;
  const auto kind =
      fmt::format("{} {}", static_cast<int>(run.thoughts.prompt), run.prompts.string());
  subject.prompt =
      take(once(inputs_->prompts, kind,
                [&] { return PromptTemplate::load(run.prompts, run.thoughts.prompt); }),
           "prompts.file");
  subject.held_out = questions(false);
  if (trains) subject.training = questions(true);
  check_options(subject);
  check_thoughts(subject);
  check_training(subject);
  check_rows(subject);
}

/// What the models do not have.
void CellChecker::check_options(const Subject& subject) {
  const RunOptions& run = subject.run;
  const auto require = [&](const auto& holds) {
    try {
      holds();
    } catch (const Error& error) {
      add(subject.cell, error.code(), error.problem());
    }
  };
  require([&] { Mesh::make(ranks_, run.parallel.tp); });
  if (subject.backbone != nullptr) {
    require([&] { ShardPlan(subject.backbone->config, 0, run.parallel.tp); });
    if (subject.method.full) {
      require([&] {
        require_trainable(subject.backbone->config, run.model.load.dtype, run.parallel.tp);
      });
    }
  }
  if (!subject.assisted || subject.assistant == nullptr) return;
  require([&] { ShardPlan(subject.assistant->config, 0, run.parallel.tp); });
  if (run.assistant.load.layers > subject.assistant->config.layers) {
    add(subject.cell, ExitCode::kUsage,
        {.what = "more layers than the assistant has",
         .where = "assistant.layers",
         .expected = fmt::format("at most {}", subject.assistant->config.layers),
         .got = std::to_string(run.assistant.load.layers)});
  }
}

void CellChecker::check_thoughts(const Subject& subject) {
  const ThoughtOptions& thoughts = subject.run.thoughts;
  if (!subject.method.placeholders && !subject.method.written) return;
  const auto refuse = [&](const char* what, const char* option, std::int64_t got,
                          const std::string& expected) {
    add(subject.cell, ExitCode::kUsage,
        {.what = what, .where = option, .expected = expected, .got = std::to_string(got)});
  };
  const auto require_room = [&](std::int64_t count, const char* option) {
    for (const TextModel* model : {subject.backbone, subject.assistant}) {
      if (model == nullptr || count < model->config.max_positions) continue;
      refuse("more thoughts than the model has positions", option, count,
             fmt::format("below {}", model->config.max_positions));
    }
    const std::int64_t longest = subject.run.data.max_length;
    if (count < longest) return;
    refuse("more thoughts than a row may have tokens", option, count,
           fmt::format("below data.max-length, {}", longest));
  };
  require_room(thoughts.count, "thoughts.count");
  if (thoughts.eval_count > 0) require_room(thoughts.eval_count, "thoughts.eval-count");
  if (subject.method.task_vectors && thoughts.eval_count > thoughts.count) {
    refuse("more thoughts than vectors are trained", "thoughts.eval-count", thoughts.eval_count,
           fmt::format("at most {}", thoughts.count));
  }
}

void CellChecker::check_training(const Subject& subject) {
  if (subject.training == nullptr) return;
  try {
    training_stages(subject.run, *subject.training,
                    static_cast<std::int64_t>(subject.training->records.size()));
  } catch (const Error& error) {
    add(subject.cell, error.code(), error.problem());
  }
}

/// Makes the rows of the longest questions as the commands do, and of the shortest where longer
/// ones are to be skipped: one of them must be left.
void CellChecker::check_rows(const Subject& subject) {
  if (subject.backbone == nullptr || subject.prompt == nullptr) return;
  const auto& [cell, method, run, assisted, backbone, assistant, prompt, held_out, training] =
      subject;
  const Curriculum curriculum(run.coconut);
  const auto make = [&](const Split& split, bool trained, const TrainingQuirks& quirks,
                        const DataOptions& data) {
    const std::int64_t count = trained ? run.thoughts.count : run.thoughts.count_in_evaluation();
    const RowBuilder builder(backbone->tokenizer, backbone->family, *prompt, quirks);
    if (method.coconut && trained) {
      for (std::int64_t stage = 0; stage <= curriculum.last_stage(); ++stage) {
        latent_rows(builder, split, curriculum, stage, data);
      }
    } else if (method.coconut) {
      latent_questions(builder, split, curriculum, curriculum.last_stage(), data);
    } else if (method.written) {
      std::map<std::string, std::string> texts;
      for (const Record& record : split.records) texts[record.id] = "";
      written_rows(builder, split, texts, data);
    } else {
      backbone_rows(builder, split, method.placeholders ? count : 0, data);
    }
    if (!assisted || assistant == nullptr) return;
    const RowBuilder assistant_builder(assistant->tokenizer, assistant->family, *prompt);
    if (method.projection) assistant_rows(assistant_builder, split, count, run.data);
    if (!method.written) return;
    for (const Record& record : split.records) {
      row_fits(assistant_builder.writing_prompt(record, count), run.data.max_length,
               OnLongRow::kFail);
    }
  };
  const auto make_all = [&](Tried tried, const DataOptions& data) {
    if (training != nullptr) make(some_of(*training, tried), true, run.data.quirks, data);
    if (training != nullptr && held_out != nullptr) {
      make(some_of(*held_out, tried), true, {}, data);
    }
    if (held_out != nullptr) make(some_of(*held_out, tried), false, {}, data);
  };
  const bool skips = run.data.on_long_row == OnLongRow::kSkip;
  DataOptions longest = run.data;
  if (skips) longest.max_length = std::numeric_limits<std::int64_t>::max();
  try {
    make_all(Tried::kLongest, longest);
    if (skips) make_all(Tried::kShortest, run.data);
  } catch (const Error& error) {
    add(cell, error.code(), error.problem());
  }
}

void CellChecker::add(const std::string& cell, ExitCode code, Problem problem) {
  const auto [known, fresh] = known_.emplace(format_error(code, problem), problems_.size());
  if (fresh) problems_.push_back({code, std::move(problem), cell});
  std::vector<std::size_t>& of_cell = of_cells_[cell];
  if (std::find(of_cell.begin(), of_cell.end(), known->second) == of_cell.end()) {
    of_cell.push_back(known->second);
  }
}

std::vector<CellProblem> CellChecker::problems_of(const std::string& cell) const {
  std::vector<CellProblem> found;
  const auto known = of_cells_.find(cell);
  if (known == of_cells_.end()) return found;
  for (const std::size_t position : known->second) found.push_back(problems_[position]);
  return found;
}

void throw_any(const std::vector<CellProblem>& problems) {
  if (problems.empty()) return;
  std::vector<Problem> texts;
  std::vector<ExitCode> codes;
  for (const CellProblem& each : problems) {
    Problem& text = texts.emplace_back(each.problem);
    if (!each.cell.empty()) text.where = fmt::format("cell {}: {}", each.cell, text.where);
    codes.push_back(each.code);
  }
  throw OptionErrors(std::move(texts), std::move(codes));
}

}  // namespace softcot
