#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "evaluation/generation.h"
#include "launch/bench/bench_clock.h"
#include "launch/bench/measure.h"
#include "launch/run/trained_model.h"
#include "runtime/stopwatch.h"
#include "trainer/train_data.h"

namespace softcot {
namespace {

std::vector<GenerationRequest> requests_of(const BenchPlace& place, const Projection& projection) {
  const auto& rows = place.rows.backbone;
  const std::int64_t width = place.rows.assistant_text.config.hidden;
  std::vector<GenerationRequest> requests;
  for (std::int64_t i = 0; i < place.run.train.batch; ++i) {
    GenerationRequest request;
    request.prompt = share_prompt(to_soft_row(rows[static_cast<std::size_t>(i) % rows.size()]));
    request.soft = projection.forward(at::randn({place.run.thoughts.count, width}));
    request.question = static_cast<std::uint64_t>(i);
    for (std::int64_t s = 0; s < place.bench.samples; ++s) {
      request.sample = static_cast<std::uint64_t>(s);
      requests.push_back(request);
    }
  }
  return requests;
}

/// Bytes of weights that one new token needs: of an embedding that is not the head, no more than a
/// row.
std::int64_t bytes_of_token(const Transformer& backbone) {
  const ModelConfig& config = backbone.config();
  const std::int64_t number = backbone.dtype() == at::kFloat ? 4 : 2;
  return backbone.weight_bytes() -
         (config.tied_head ? 0 : config.vocabulary * config.hidden * number);
}

}  // namespace

nlohmann::ordered_json measure_decode(const BenchPlace& place) {
  const at::NoGradGuard no_grad;
  const Transformer backbone(place.run.model.path, place.run.model.load, *place.groups.tp);
  SoftPromptModel model(backbone, place.run.train.work);
  model.share_prefix(shared_prefix(place.rows.backbone));
  const auto requests = requests_of(
      place,
      Projection::random(place.rows.assistant_text.config.hidden, backbone.config().hidden, 0));
  GenerationOptions options;
  options.sampling = place.bench.sampling;
  options.rows_in_flight = static_cast<std::int64_t>(requests.size());
  const auto ignore = [](std::size_t, const Generation&) {};
  const double started = process_seconds();
  constexpr std::size_t kWarmUp = 8;
  options.max_new_tokens = 2;
  generate(model, {requests.begin(), requests.begin() + std::min(kWarmUp, requests.size())},
           options, ignore);

  options.max_new_tokens = place.bench.new_tokens;
  Stopwatch clock;
  double reading = 0;
  std::size_t tokens = 0;
  const auto count = [&](std::size_t, std::int64_t) {
    if (++tokens == requests.size()) reading = clock.lap();  // Each row has its first token.
  };
  const GenerationWork work = generate(model, requests, options, ignore, count);
  const double writing = clock.lap();
  const auto rows = static_cast<double>(requests.size());
  const double after_first = (static_cast<double>(work.new_tokens) - rows) / writing;
  return {{"tokens_per_second", static_cast<double>(work.new_tokens) / (reading + writing)},
          {"tokens_per_second_after_first", after_first},
          {"prompt_tokens_per_second", static_cast<double>(work.prompt_tokens) / reading},
          {"prompt_tokens", work.prompt_tokens},
          {"new_tokens", work.new_tokens},
          {"samples", place.bench.samples},
          {"temperature", place.bench.sampling.temperature},
          {"start_seconds", started},
          {"shared_prefix_tokens", model.shared_tokens()},
          {"weight_bytes", backbone.weight_bytes()},
          {"weight_bytes_per_second",
           after_first / rows * static_cast<double>(bytes_of_token(backbone))}};
}

}  // namespace softcot
