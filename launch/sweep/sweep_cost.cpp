#include "launch/sweep/sweep_cost.h"

#include <algorithm>
#include <map>
#include <string>

#include "data/benchmark.h"
#include "launch/run/method.h"
#include "model/model_config.h"
#include "runtime/processors.h"

namespace softcot {
namespace {

constexpr double kFlopsOfCore = 50e9;
constexpr double kDecodingShare = 0.25;  // Of that speed, for tokens one after another.
constexpr double kStart = 2;             // Seconds until a step computes.
constexpr double kCharactersOfToken = 3.5;
constexpr double kNumbersInCheckpoint = 3;  // Of each parameter: itself and two moments.
constexpr double kBytesOfPrompt = 4;        // Of a token, as text with its frame in JSON.

double number(const Settings& settings, const char* option, double otherwise = 0) {
  const auto found = settings.find(option);
  return found == settings.end() ? otherwise : std::stod(found->second);
}

std::string text(const Settings& settings, const char* option) {
  const auto found = settings.find(option);
  return found == settings.end() ? "" : found->second;
}

/// Questions of one split, as a whole.
struct Texts {
  double rows = 0;
  double question = 0;   // Mean tokens.
  double reference = 0;  // Of rationale and answer.
};

class Estimator {
 public:
  explicit Estimator(int jobs)
      : flops_(kFlopsOfCore * std::max(1.0, static_cast<double>(usable_processors()) / jobs)) {}

  WorkCost cost(SweepPart part, const Settings& settings) {
    switch (part) {
      case SweepPart::kThoughts:
        return of_thoughts(settings);
      case SweepPart::kTexts:
        return of_texts(settings);
      case SweepPart::kTraining:
        return of_training(settings);
      case SweepPart::kEvaluation:
        return of_evaluation(settings);
    }
    return {};
  }

 private:
  WorkCost of_thoughts(const Settings& settings) {
    const Texts texts = texts_of(settings, settings.contains("data.eval-limit"));
    const ModelConfig& assistant = model(text(settings, "assistant.path"));
    const double count = number(settings, "thoughts.count");
    const double tokens = texts.rows * (texts.question + count);
    const double width = text(settings, "thoughts.stored") == "bfloat16" ? 2 : 4;
    return {kStart + 2 * tokens * body(assistant, layers_of(settings, assistant)) / flops_,
            texts.rows * count * static_cast<double>(assistant.hidden) * width};
  }

  WorkCost of_texts(const Settings& settings) {
    const Texts texts = texts_of(settings, true);
    const ModelConfig& assistant = model(text(settings, "assistant.path"));
    const double count = number(settings, "thoughts.count");
    const double numbers = body(assistant, layers_of(settings, assistant)) + head(assistant);
    return {kStart + 2 * texts.rows * numbers * (texts.question + count / kDecodingShare) / flops_,
            texts.rows * count * kBytesOfPrompt};
  }

  WorkCost of_training(const Settings& settings) {
    const Method& method = method_of(text(settings, "train.method"));
    const ModelConfig& backbone = model(text(settings, "model.path"));
    const Texts texts = texts_of(settings, false);
    const double steps = number(settings, "train.steps");
    const double batch = number(settings, "train.batch");
    const double rows = steps > 0 ? steps * batch : texts.rows * number(settings, "train.epochs");
    const double count = method.placeholders ? number(settings, "thoughts.count") : 0;
    // Forward; backward through what follows the first trained place, twice that for all weights.
    const double forward = texts.question + count + texts.reference;
    const double backward = method.lora || method.full ? 2 * forward : count + texts.reference;
    double flops = 2 * rows * (forward + backward) * body(backbone, backbone.layers) +
                   6 * rows * texts.reference * head(backbone);
    if (!text(settings, "data.eval-file").empty() || number(settings, "data.train-share", 1) < 1) {
      const Texts held_out = texts_of(settings, true);
      flops += 4 * held_out.rows *
               (forward * body(backbone, backbone.layers) + held_out.reference * head(backbone));
    }
    return {kStart + flops / flops_, kNumbersInCheckpoint * 4 *
                                         trained_numbers(settings, method, backbone) *
                                         number(settings, "train.keep", 1)};
  }

  WorkCost of_evaluation(const Settings& settings) {
    const ModelConfig& backbone = model(text(settings, "model.path"));
    const Texts texts = texts_of(settings, true);
    const double eval = number(settings, "thoughts.eval-count");
    const double count = eval > 0 ? eval : number(settings, "thoughts.count");
    const double answers = number(settings, "evaluate.seeds", 1) *
                           number(settings, "evaluate.samples", 1) * texts.rows;
    const double written = number(settings, "evaluate.max-new-tokens");
    const double numbers = body(backbone, backbone.layers) + head(backbone);
    const double read = texts.rows * (texts.question + count + texts.reference) +
                        answers * (texts.question + count);
    return {kStart + 2 * numbers * (read + answers * written / kDecodingShare) / flops_,
            kBytesOfPrompt * (answers * (100 + written) + 2 * texts.rows * texts.question)};
  }

  static double trained_numbers(const Settings& settings, const Method& method,
                                const ModelConfig& backbone) {
    const auto width = static_cast<double>(backbone.hidden);
    double numbers = 0;
    if (method.projection) numbers += width * width;
    if (method.task_vectors) numbers += width * number(settings, "thoughts.count");
    if (method.lora) {
      numbers += 4 * width * number(settings, "lora.rank") * static_cast<double>(backbone.layers);
    }
    if (method.full) numbers += body(backbone, backbone.layers) + head(backbone);
    return numbers;
  }

  static std::int64_t layers_of(const Settings& settings, const ModelConfig& assistant) {
    const auto layers = static_cast<std::int64_t>(number(settings, "assistant.layers"));
    return layers > 0 ? layers : assistant.layers;
  }

  /// Numbers in so many layers.
  static double body(const ModelConfig& config, std::int64_t layers) {
    const auto width = static_cast<double>(config.hidden);
    const auto heads = static_cast<double>(2 * (config.query_heads + config.kv_heads));
    const double layer = width * heads * static_cast<double>(config.head_width) +
                         3 * width * static_cast<double>(config.feed_forward);
    return layer * static_cast<double>(layers);
  }

  static double head(const ModelConfig& config) {
    return static_cast<double>(config.vocabulary) * static_cast<double>(config.hidden);
  }

  const ModelConfig& model(const std::string& path) {
    const auto known = models_.find(path);
    return known != models_.end() ? known->second
                                  : models_.emplace(path, read_model_config(path)).first->second;
  }

  Texts texts_of(const Settings& settings, bool held_out) {
    const bool of_file = !held_out || text(settings, "data.eval-file").empty();
    const std::string part = held_out ? "data.eval-" : "data.";
    const std::string file = text(settings, of_file ? "data.file" : "data.eval-file");
    const std::string task = text(settings, "data.task");
    Texts texts = whole(task, file);
    const double share = number(settings, "data.train-share", 1);
    if (of_file && share < 1) texts.rows *= held_out ? 1 - share : share;
    texts.rows -= std::min(texts.rows, number(settings, (part + "offset").c_str()));
    const double limit = number(settings, (part + "limit").c_str());
    if (limit > 0) texts.rows = std::min(texts.rows, limit);
    const std::filesystem::path prompts = text(settings, "prompts.file");
    if (std::filesystem::exists(prompts)) {
      // It holds the words for backbone and assistant.
      texts.question +=
          static_cast<double>(std::filesystem::file_size(prompts)) / 2 / kCharactersOfToken;
    }
    return texts;
  }

  const Texts& whole(const std::string& task, const std::string& file) {
    const auto known = texts_.find(task + "\n" + file);
    if (known != texts_.end()) return known->second;
    Texts texts;
    for (const Record& record : read_benchmark(task, file)) {
      ++texts.rows;
      texts.question += static_cast<double>(record.question.size());
      texts.reference += static_cast<double>(record.answer.size());
      for (const std::string& step : record.rationale_steps) {
        texts.reference += static_cast<double>(step.size());
      }
    }
    const double per_row = texts.rows * kCharactersOfToken;
    texts.question /= per_row;
    texts.reference /= per_row;
    return texts_[task + "\n" + file] = texts;
  }

  double flops_;
  std::map<std::string, ModelConfig> models_;
  std::map<std::string, Texts> texts_;
};

}  // namespace

std::vector<WorkCost> estimate_costs(const SweepPlan& plan, int jobs) {
  Estimator estimator(jobs);
  std::vector<WorkCost> costs;
  for (std::size_t i = 0; i < plan.works.size(); ++i) {
    costs.push_back(estimator.cost(plan.parts[i], plan.works[i].configs.front().second));
  }
  return costs;
}

}  // namespace softcot
