#include "launch/run/method.h"

#include <fmt/format.h>

#include "launch/options/nearest_name.h"
#include "runtime/error.h"

namespace softcot {

const std::vector<Method>& methods() {
  // The authors' code for GSM8K: AdamW without a scheduler and without clipping.
  const std::map<std::string, std::string> coconut = {{"train.epochs", "25"},
                                                      {"train.learning-rate", "1e-4"},
                                                      {"train.schedule", "constant"},
                                                      {"train.weight-decay", "0.01"},
                                                      {"train.clip", "0"}};
  static const std::vector<Method> all = {
      {"zero_shot_cot", "Zero-shot CoT", "the instruction and the question", false, false, false,
       false},
      {"zero_shot_cot_unk", "Zero-shot CoT-Unk", "with N placeholders that hold nothing", true,
       false, false, false},
      {"zero_shot_assist_cot", "Zero-shot Assist-CoT", "with N tokens that the assistant wrote",
       false, false, false, false, false, false, true},
      {"softcot", "SoftCoT", "with N projected thoughts of the assistant", true, true, false,
       false},
      {"prompt_tuning", "Prompt tuning", "with N trained vectors, the same for all questions", true,
       false, true, false},
      {"softcot_prompt_tuning", "SoftCoT + prompt tuning",
       "projected thoughts plus trained vectors", true, true, true, false},
      {"lora", "LoRA", "low-rank changes of the backbone's matrices", false, false, false, true},
      {"softcot_lora", "SoftCoT + LoRA", "projected thoughts and low-rank changes", true, true,
       false, true},
      {"coconut", "Coconut", "latent thoughts of its own, trained by LoRA", false, false, false,
       true, false, true, false, coconut},
      {"full", "Full fine-tuning", "all of the backbone's weights", false, false, false, false,
       true},
      {"coconut_full", "Coconut, all weights", "latent thoughts of its own, all weights trained",
       false, false, false, false, true, true, false, coconut},
  };
  return all;
}

std::vector<std::string> method_names(bool trained_only) {
  std::vector<std::string> names;
  for (const Method& method : methods()) {
    if (!trained_only || method.trained()) names.emplace_back(method.name);
  }
  return names;
}

const Method& method_of(const std::string& name) {
  for (const Method& method : methods()) {
    if (name == method.name) return method;
  }
  const auto nearest = nearest_name(name, method_names(false));
  fail(ExitCode::kUsage, {.what = "unknown method",
                          .where = name,
                          .fix = nearest ? fmt::format("did you mean {}?", *nearest)
                                         : "softcot evaluate --help lists the methods"});
}

}  // namespace softcot
