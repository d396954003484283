#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>

#include "data/row_text.h"
#include "launch/commands/commands.h"
#include "launch/run/method.h"
#include "launch/run/run_data.h"
#include "launch/run/written_thoughts.h"
#include "launch/standard_output.h"
#include "runtime/counted.h"

namespace softcot {
namespace {

enum class Colour { kAuto, kAlways, kNever };

struct PreviewOptions {
  std::int64_t rows = 2;
  bool eval = false;
  Colour colour = Colour::kAuto;
};

RowMarks marks_for(Colour colour) {
  if (colour == Colour::kAlways) return RowMarks::kColour;
  const char* refused = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  const bool able = isatty(STDOUT_FILENO) == 1 && (refused == nullptr || *refused == '\0') &&
                    terminal != nullptr && std::string_view(terminal) != "dumb";
  return colour == Colour::kAuto && able ? RowMarks::kColour : RowMarks::kPlain;
}

Split chosen_split(const DataOptions& data, bool eval) {
  if (!eval) return train_split(data);
  require_eval(data);
  return *eval_split(data);
}

std::string part(const std::string& title, const TextModel& model, const Row& row, RowMarks marks) {
  return fmt::format("--- {}: {} tokens, {}, {} trained\n{}\n", title, row.length(),
                     counted(row.thoughts.count, "thought"), row.length() - row.target_begin,
                     row_text(row_runs(model.tokenizer, model.family, row), marks));
}

void show(const RunOptions& run, const PreviewOptions& preview) {
  const RowMarks marks = marks_for(preview.colour);
  const PromptTemplate prompt = PromptTemplate::load(run.prompts, run.thoughts.prompt);
  const Split split = chosen_split(run.data, preview.eval);
  const TextModel backbone = TextModel::open(run.model.path);
  const TextModel assistant = TextModel::open(assistant_of(run).path);
  const RowBuilder for_backbone(backbone.tokenizer, backbone.family, prompt,
                                preview.eval ? TrainingQuirks{} : run.data.quirks);
  const RowBuilder for_assistant(assistant.tokenizer, assistant.family, prompt);
  const std::int64_t thoughts =
      preview.eval ? run.thoughts.count_in_evaluation() : run.thoughts.count;
  const auto& methods = run.evaluate.methods;
  const bool written =
      preview.eval && std::any_of(methods.begin(), methods.end(),
                                  [](const std::string& name) { return method_of(name).written; });
  std::map<std::string, std::string> texts;
  if (written) texts = kept_written_thoughts(run, split, prompt);
  const auto rows = std::min(static_cast<std::size_t>(preview.rows), split.records.size());

  write_standard_output(fmt::format("{}, {} for {}, prompts of {}\n{}\n", run.data.task,
                                    counted(split.records.size(), "question"),
                                    preview.eval ? "evaluation" : "training", run.prompts.string(),
                                    row_legend(marks)));
  for (std::size_t i = 0; i < rows; ++i) {
    const Record& record = split.records[i];
    std::string text =
        fmt::format("\n=== {} of {}: {}, answer {} ({})\n", i + 1, split.records.size(), record.id,
                    record.answer, answer_type_name(record.type));
    text += part("backbone", backbone, for_backbone.backbone_row(record, thoughts), marks);
    text += part("assistant", assistant, for_assistant.assistant_row(record, thoughts), marks);
    if (written) {
      text += part("assistant, writing", assistant, for_assistant.writing_prompt(record, thoughts),
                   marks);
      const auto found = texts.find(record.id);
      text += found == texts.end()
                  ? "--- backbone, with what it wrote: nothing yet; softcot precompute makes it\n"
                  : part("backbone, with what it wrote", backbone,
                         for_backbone.backbone_row_with(record, found->second), marks);
    }
    write_standard_output(text);
  }
}

}  // namespace

ExitCode run_preview(Invocation& invocation) {
  RunOptions run;
  PreviewOptions preview;
  OptionSet options("preview", "Show the prompts that a configuration makes of its questions.");
  add_run_options(options, run,
                  {"model.path", "assistant", "data", "thoughts", "train.compat",
                   "evaluate.methods", "evaluate.seed", "prompts"});
  options.add("rows", &preview.rows, "Questions to show.", at_least(1)).unit = "questions";
  options.add("eval", &preview.eval, "Show held-out questions rather than those for training.");
  options.add("color", &preview.colour, "Colours rather than marks.",
              Choices<Colour>{
                  {"auto", Colour::kAuto}, {"always", Colour::kAlways}, {"never", Colour::kNever}});
  options.set_notes(
      "For each question the backbone's row and the assistant's, as text, token for token; of the "
      "models\n"
      "only config and tokenizer are read. On a terminal special tokens are cyan, thought "
      "placeholders\n"
      "magenta and trained tokens green (bold where they are special tokens); elsewhere they are "
      "marked:\n"
      "  " +
      row_legend(RowMarks::kPlain) +
      "\n"
      "The placeholders are shown as one with their number. Words of a question that spell a "
      "special\n"
      "token are words: they have no mark. With --eval and zero_shot_assist_cot among\n"
      "evaluate.methods also what the assistant is asked to write, and the backbone's row with "
      "it.\n"
      "NO_COLOR in the environment turns colours off.");
  options.add_example("softcot preview --config configs/quickstart.cfg --rows 1",
                      "the first training row");
  options.add_example(
      "softcot preview --config configs/quickstart.cfg --eval --color always | less -R",
      "held-out rows in colour, page by page");
  if (!invocation.read(options)) return ExitCode::kOk;
  show(run, preview);
  return ExitCode::kOk;
}

}  // namespace softcot
