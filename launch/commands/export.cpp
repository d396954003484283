#include <fmt/format.h>

#include <span>

#include "launch/commands/commands.h"
#include "launch/options/option_sources.h"
#include "launch/options/run_options.h"
#include "launch/run/method.h"
#include "launch/run/model_folder.h"
#include "launch/run/output_claim.h"
#include "launch/run/peft_adapter.h"
#include "launch/run/run_folder.h"
#include "launch/run/trained_model.h"
#include "launch/standard_output.h"
#include "runtime/atomic_file.h"
#include "runtime/error.h"
#include "runtime/hidden_name.h"
#include "runtime/safetensors_writer.h"
#include "runtime/work_folder.h"

namespace softcot {
namespace {

constexpr const char* kSoftName = "soft_prompt.safetensors";

/// The backbone that the run's own configuration names.
std::filesystem::path model_of(const RunPaths& run) {
  std::filesystem::path model;
  for (const Assignment& assignment : read_config_file(run.config())) {
    if (assignment.name == "model.path") model = assignment.value;
  }
  return model;
}

/// Whatever fills placeholders: projection and task vectors.
TensorViews soft_tensors(const TrainedParts& parts) {
  TensorViews views;
  for (const Parameter& parameter : parts.parameters()) {
    const at::Tensor& value = parameter.value;
    if (parameter.name.starts_with("lora.")) continue;
    views[parameter.name] = {DType::kF32,
                             {value.sizes().begin(), value.sizes().end()},
                             std::as_bytes(std::span(value.const_data_ptr<float>(),
                                                     static_cast<std::size_t>(value.numel())))};
  }
  return views;
}

void require_empty(const std::filesystem::path& folder) {
  if (!std::filesystem::exists(folder)) return;
  if (std::filesystem::is_directory(folder) && std::filesystem::is_empty(folder)) return;
  fail(ExitCode::kUsage, {.what = "there is something already",
                          .where = folder.string(),
                          .fix = "give --out the name of a new folder"});
}

void export_run(const RunOptions& run, std::filesystem::path out, std::string base) {
  const RunPaths paths{run.folder};
  const auto model = run.model.path.empty() ? model_of(paths) : run.model.path;
  const TrainedRun trained = load_trained(run.folder, read_model_config(model));
  const TensorViews soft = soft_tensors(trained.parts);
  const auto hash = trained.identity.at("backbone").at("hash").get<std::string>();
  out = std::filesystem::weakly_canonical(std::filesystem::absolute(out));
  if (!out.has_filename()) out = out.parent_path();
  const auto claim = OutputClaim::beside(out);
  if (!claim) return;
  require_empty(out);
  remove_abandoned(out.parent_path());
  const WorkFolder work(hidden_name(out));
  std::string written;
  if (method_of(trained.method()).full) {
    write_model_folder(work.path(), model, trained);
    written += fmt::format("model: {}\n", out.string());
  }
  if (trained.parts.lora) {
    if (base.empty()) base = model.string();
    write_peft_adapter(work.path(), *trained.parts.lora,
                       {.base = std::move(base), .backbone_hash = hash});
    written += fmt::format("PEFT adapter: {}\n", out.string());
  }
  if (!soft.empty()) {
    write_safetensors(
        work.file(kSoftName), soft,
        {{"format", "pt"}, {"softcot.method", trained.method()}, {"softcot.backbone_hash", hash}});
    written += fmt::format("soft prompt: {}\n", (out / kSoftName).string());
  }
  require_empty(out);  // On a file system without locks another may have been faster.
  work.publish(out);
  fsync_folder(out.parent_path());
  write_standard_output(written);
}

}  // namespace

ExitCode run_export(Invocation& invocation) {
  RunOptions run;
  std::filesystem::path out;
  std::string base;
  OptionSet options("export", "Write what a run trained as a PEFT adapter or a model folder.");
  add_run_options(options, run, {"model.path", "run.folder"});
  options.find("model.path")->required = false;
  options.find("model.path")->help = "Backbone: a Hugging Face folder; empty for the run's.";
  options.add("out", &out, "Folder to write, which appears whole or not at all.").required = true;
  options.add("base", &base,
              "Base model that the adapter names to PEFT, as on a hub; empty for the backbone's "
              "folder.");
  options.set_notes(
      "Of the newest checkpoint. A LoRA becomes adapter_config.json and "
      "adapter_model.safetensors;\n"
      "projection and prompt vectors become soft_prompt.safetensors. An adapter is taken back by\n"
      "softcot train --lora.adapter and softcot evaluate --evaluate.trained. Full fine-tuning "
      "becomes a\n"
      "Hugging Face folder: model.safetensors, each weight in the type that it has in the "
      "backbone's\n"
      "folder, beside a copy of that folder's config and tokenizer. It is a --model like any "
      "other.");
  options.add_example("softcot export --run.folder runs/lora --out adapter",
                      "for peft.PeftModel.from_pretrained(model, \"adapter\")");
  options.add_example("softcot export --run.folder runs/full --out tuned",
                      "for AutoModelForCausalLM.from_pretrained(\"tuned\"), or --model tuned");
  if (!invocation.read(options)) return ExitCode::kOk;
  export_run(run, out, base);
  return ExitCode::kOk;
}

}  // namespace softcot
