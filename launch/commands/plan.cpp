#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <optional>

#include "launch/commands/commands.h"
#include "launch/json_lines.h"
#include "launch/options/nearest_name.h"
#include "launch/options/run_options.h"
#include "launch/plan/choice.h"
#include "launch/plan/plan_options.h"
#include "launch/plan/plan_report.h"
#include "launch/run/run_data.h"
#include "launch/run/trained_model.h"
#include "launch/standard_output.h"
#include "model/known_models.h"
#include "runtime/error.h"
#include "runtime/safetensors_folder.h"
#include "trainer/train_loop.h"

namespace softcot {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> known_names() {
  std::vector<std::string> names;
  for (const KnownModel& model : known_models()) names.push_back(model.name);
  return names;
}

/// Indented lines, one a family.
std::string known_lines() {
  std::string lines, family;
  for (const std::string& name : known_names()) {
    const bool same = name.starts_with(family + "-");
    family = name.substr(0, name.find('-'));
    lines += (same ? ", " : "\n  ") + name;
  }
  return lines;
}

/// The known model whose name differs least, whatever the case.
std::string nearest_known_name(const fs::path& path) {
  const auto lower = [](std::string text) {
    for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return text;
  };
  const std::string typed = lower(path.filename().string());
  const auto distance = [&](const KnownModel& model) {
    return edit_distance(typed, lower(model.name));
  };
  return std::ranges::min(known_models(), {}, distance).name;
}

/// A model folder, or a known model of that name.
KnownModel model_of(const fs::path& path, const char* option) {
  if (fs::is_directory(path)) {
    const auto name = fs::absolute(path / "").parent_path().filename();
    return {name.string(), read_model_config(path)};
  }
  if (auto known = find_known_model(path.string())) return *known;
  fail(ExitCode::kInput, {.what = "neither a model folder nor a known model",
                          .where = option,
                          .expected = fmt::format("a folder with config.json, or one of {}",
                                                  fmt::join(known_names(), ", ")),
                          .got = path.string(),
                          .fix = fmt::format("did you mean {}?", nearest_known_name(path))});
}

/// Bytes of a weight in a folder's files; those of a checkpoint as it is published where none are.
std::int64_t file_weight_bytes(const fs::path& folder) {
  const bool there = fs::exists(folder / "model.safetensors") ||
                     fs::exists(folder / "model.safetensors.index.json");
  if (!there) return 2;
  return SafetensorsFolder::open(folder).tensor("model.norm.weight").dtype == DType::kF32 ? 4 : 2;
}

/// Rows of the data, as training makes them.
void read_rows(const RunOptions& run, Workload& work) {
  const TextModel text = TextModel::open(run.model.path);
  const auto prompt = PromptTemplate::load(run.prompts, run.thoughts.prompt);
  const RowBuilder builder(text.tokenizer, text.family, prompt, run.data.quirks);
  const std::int64_t thoughts = work.method.placeholders ? run.thoughts.count : 0;
  const auto rows = backbone_rows(builder, train_split(run.data), thoughts, run.data).rows;
  for (const Row& row : rows) {
    work.rows.push_back({.tokens = row.length(),
                         .thought_begin = row.thoughts.begin,
                         .thoughts = row.thoughts.count,
                         .targets = row.length() - row.target_begin});
  }
  work.shared_tokens = static_cast<std::int64_t>(shared_prefix(rows).size());
}

void assume_rows(const RunOptions& run, const PlanOptions& plan, Workload& work) {
  const std::int64_t thoughts = work.method.placeholders ? run.thoughts.count : 0;
  const std::int64_t least = plan.shared_tokens + thoughts + plan.target_tokens;
  if (plan.longest_row < plan.row_tokens || plan.row_tokens < least) {
    fail(ExitCode::kUsage,
         {.what = "row lengths contradict each other",
          .where = "plan.row-tokens, plan.longest-row",
          .expected =
              fmt::format("a mean from {} (shared, thoughts and targets) to the longest", least),
          .got = fmt::format("mean {}, longest {}", plan.row_tokens, plan.longest_row)});
  }
  work.rows = typical_rows(plan.row_tokens, plan.longest_row, plan.target_tokens, thoughts);
  work.shared_tokens = plan.shared_tokens;
}

Workload workload_of(const RunOptions& run, const PlanOptions& plan, const KnownModel& backbone,
                     const KnownModel& assistant, PlanTitle& title) {
  Workload work;
  work.backbone = backbone.config;
  work.assistant_width = assistant.config.hidden;
  work.assistant_vocabulary = assistant.config.vocabulary;
  work.method = method_of(run.method);
  work.weight_bytes = run.model.load.dtype == at::kFloat ? 4 : 2;
  work.file_weight_bytes = file_weight_bytes(run.model.path);
  work.lora_rank = run.lora.rank;
  work.lora_targets = run.lora.targets;
  work.lora_dropout = run.lora.dropout > 0;
  work.batch = run.train.batch;
  work.accumulation = run.train.accumulation;
  work.seed = run.train.seed;
  work.target_logits = run.train.work.target_logits;
  work.frozen_prefix = run.train.work.frozen_prefix;
  work.shared_prefix = run.train.work.shared_prefix;
  const bool readable = !run.data.file.empty() && fs::exists(run.model.path / "tokenizer.json");
  if (readable) {
    read_rows(run, work);
    title.rows = "read from " + run.data.file.filename().string();
  } else {
    assume_rows(run, plan, work);
    title.rows = "assumed, see --row-tokens";
  }
  work.steps = total_steps(run.train, static_cast<std::int64_t>(work.rows.size()));
  return work;
}

void require_planned(const RunOptions& run) {
  const Method& method = method_of(run.method);
  if (method.coconut) {
    fail(ExitCode::kUsage,
         {.what = "Coconut reads a row once for each latent, which is not planned",
          .where = "train.method",
          .got = run.method});
  }
  if (method.full && run.model.load.dtype != at::kFloat) {
    fail(ExitCode::kUsage, {.what = "full fine-tuning needs float32 weights",
                            .where = "model.dtype",
                            .expected = "float32",
                            .got = "bfloat16",
                            .fix = "give --dtype float32"});
  }
}

void write_plan(bool json, const PlanTitle& title, const Workload& work, const Machine& machine,
                const std::vector<Layout>& layouts, const std::optional<Choice>& choice) {
  if (json) {
    write_json_line(plan_json(title, work, machine, layouts, choice));
  } else {
    write_standard_output(plan_text(title, work, machine, layouts, choice));
  }
}

}  // namespace

ExitCode run_plan(Invocation& invocation) {
  RunOptions run;
  PlanOptions plan;
  bool json = false;
  OptionSet options("plan", "Say which layout of ranks fits, how long a step takes, and why.");
  add_run_options(options, run,
                  {"model", "assistant", "data", "thoughts", "train", "lora", "prompts"});
  options.find("data.file")->required = false;
  options.find("model.path")->help =
      "Backbone: a Hugging Face folder, or the name of a known model.";
  options.find("assistant.path")->help =
      "Assistant: a Hugging Face folder, or the name of a known model; empty for the backbone's.";
  add_plan_options(options, plan);
  options.add("json", &json, "Print one JSON object: bytes and seconds.");
  options.set_notes(fmt::format(
      "Computes nothing but the plan: no weights are read, no GPU is needed.\n"
      "With a folder that has a tokenizer, row lengths are read from --data.file.\n"
      "Ends with 6 when nothing fits, and says what would. docs/scaling.md has the model and\n"
      "what it assumes.\n\nKnown models:{}",
      known_lines()));
  options.add_example(
      "softcot plan --model Llama-3.1-8B --assistant Llama-3.2-1B --dtype bfloat16 "
      "--gpus 8 --batch 32",
      "eight GPUs of 80 GB in one node");
  options.add_example(
      "softcot plan --config configs/gsm8k-llama.cfg --gpus 16 --nodes 2 "
      "--gpu-memory 40",
      "the paper's setting on two nodes of smaller GPUs");
  options.add_example("softcot plan --config configs/quickstart.cfg --device cpu --ranks 2",
                      "two ranks on this machine's CPUs");
  if (!invocation.read(options)) return ExitCode::kOk;
  require_planned(run);
  const KnownModel backbone = model_of(run.model.path, "model.path");
  const KnownModel assistant = model_of(assistant_of(run).path, "assistant.path");
  PlanTitle title{.model = backbone.name, .assistant = assistant.name, .rows = {}};
  Workload work = workload_of(run, plan, backbone, assistant, title);
  const Machine machine = machine_of(plan, work.weight_bytes);
  work.tokens_in_flight = default_tokens_in_flight(!machine.on_gpu());
  const std::vector<Layout> layouts = plan_layouts(work, machine);
  try {
    write_plan(json, title, work, machine, layouts, choose_layout(work, machine, layouts));
  } catch (const Error&) {
    write_plan(json, title, work, machine, layouts, std::nullopt);
    throw;
  }
  return ExitCode::kOk;
}

}  // namespace softcot
