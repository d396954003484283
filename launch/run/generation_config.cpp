#include "launch/run/generation_config.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "runtime/json_file.h"
#include "runtime/log.h"

namespace softcot {
namespace {

using Json = nlohmann::json;

/// A field that has no option, and the value, besides null and empty lists, with which it does
/// nothing.
struct Unsupported {
  const char* field;
  Json neutral;
};

const std::vector<Unsupported>& unsupported_fields() {
  static const std::vector<Unsupported> fields = {{"typical_p", 1.0},
                                                  {"top_h", nullptr},
                                                  {"epsilon_cutoff", 0.0},
                                                  {"eta_cutoff", 0.0},
                                                  {"encoder_repetition_penalty", 1.0},
                                                  {"no_repeat_ngram_size", 0},
                                                  {"encoder_no_repeat_ngram_size", 0},
                                                  {"bad_words_ids", nullptr},
                                                  {"force_words_ids", nullptr},
                                                  {"constraints", nullptr},
                                                  {"sequence_bias", nullptr},
                                                  {"suppress_tokens", nullptr},
                                                  {"begin_suppress_tokens", nullptr},
                                                  {"forced_bos_token_id", nullptr},
                                                  {"forced_eos_token_id", nullptr},
                                                  {"forced_decoder_ids", nullptr},
                                                  {"exponential_decay_length_penalty", nullptr},
                                                  {"min_length", 0},
                                                  {"min_new_tokens", 0},
                                                  {"guidance_scale", 1.0},
                                                  {"penalty_alpha", 0.0},
                                                  {"num_beams", 1},
                                                  {"diversity_penalty", 0.0},
                                                  {"dola_layers", nullptr},
                                                  {"watermarking_config", nullptr}};
  return fields;
}

/// A long list by its length.
std::string value_text(const Json& value) {
  constexpr std::size_t kLongest = 60;
  const std::string text = json_text(value);
  return text.size() > kLongest ? json_kind(value) : text;
}

class GenerationConfigCheck {
 public:
  GenerationConfigCheck(const Json& file, const SamplingOptions& sampling)
      : file_(file), ours_(sampling) {}

  /// "top_k 20 (0 applies)" for each field.
  const std::vector<std::string>& fields() const { return fields_; }
  /// "top-k 20": options that apply them.
  const std::vector<std::string>& options() const { return options_; }

  void compare() {
    compare_sampling();
    filter("temperature", "temperature", ours_.temperature, 1.0);
    filter("top_k", "top-k", static_cast<double>(ours_.top_k), 0.0);
    filter("top_p", "top-p", ours_.top_p, 1.0);
    filter("min_p", "min-p", ours_.min_p, 0.0);
    supported("repetition_penalty", "repetition-penalty", ours_.repetition_penalty, "");
    for (const auto& [field, neutral] : unsupported_fields()) {
      const Json value = value_of(field);
      if (!value.is_null() && value != neutral) note(field, value, "not supported, none applies");
    }
  }

 private:
  bool greedy() const { return ours_.temperature == 0; }

  /// Null for one that is not there, and for an empty list or object.
  Json value_of(const char* field) const {
    const auto found = file_.find(field);
    if (found == file_.end() || (found->is_structured() && found->empty())) return nullptr;
    return *found;
  }

  void note(const char* field, const Json& value, const std::string& applies) {
    fields_.push_back(fmt::format("{} {} ({})", field, value_text(value), applies));
  }

  /// Whether tokens are drawn at all. Without a temperature Transformers draws at 1.
  void compare_sampling() {
    const Json value = value_of("do_sample");
    if (!value.is_boolean() || value.get<bool>() == !greedy()) return;
    note("do_sample", value,
         greedy() ? "temperature 0, greedy, applies"
                  : fmt::format("temperature {} applies", ours_.temperature));
    if (!greedy()) options_.emplace_back("temperature 0");
    if (greedy() && value_of("temperature").is_null()) options_.emplace_back("temperature 1");
  }

  /// One that changes nothing in greedy decoding: it is passed over where the file is greedy, too,
  /// and a neutral value in any case.
  void filter(const char* field, const char* option, double ours, double neutral) {
    const bool both_greedy = greedy() && value_of("do_sample") == Json(false);
    if (both_greedy || (greedy() && value_of(field) == Json(neutral))) return;
    supported(field, option, ours, greedy() ? ", greedy," : "");
  }

  void supported(const char* field, const char* option, double ours, const char* how) {
    const Json value = value_of(field);
    if (value.is_null() || value == Json(ours)) return;
    note(field, value, fmt::format("{}{} applies", ours, how));
    options_.push_back(fmt::format("{} {}", option, value_text(value)));
  }

  const Json& file_;
  const SamplingOptions& ours_;
  std::vector<std::string> fields_, options_;
};

}  // namespace

std::string unapplied_generation_config(const std::filesystem::path& folder,
                                        const SamplingOptions& sampling,
                                        const std::optional<std::string>& prefix) {
  const auto path = folder / "generation_config.json";
  if (!std::filesystem::exists(path)) return "";
  const Json file = read_json_file(path);
  if (!file.is_object()) return "";
  GenerationConfigCheck check(file, sampling);
  check.compare();
  if (check.fields().empty()) return "";
  std::string line =
      fmt::format("{} is not applied: {}", path.string(), fmt::join(check.fields(), ", "));
  if (!prefix || check.options().empty()) return line;
  line += "; to apply it:";
  for (const auto& option : check.options()) line += fmt::format(" --{}{}", *prefix, option);
  return line;
}

void warn_of_generation_config(const std::filesystem::path& folder, const SamplingOptions& sampling,
                               const std::optional<std::string>& prefix) {
  const std::string line = unapplied_generation_config(folder, sampling, prefix);
  if (!line.empty()) log_warning("{}", line);
}

}  // namespace softcot
