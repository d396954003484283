#include "evaluation/generation.h"

#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include "evaluation/prompt_reader.h"
#include "evaluation/recorded_decoding.h"
#include "evaluation/repetition_penalty.h"
#include "runtime/error.h"
#include "runtime/to_device.h"

namespace softcot {
namespace {

/// Room that a row begins with for its own tokens; more is made as it needs it.
constexpr std::int64_t kFirstTokens = 64;
/// Rows join on a device when this part of all places is free.
constexpr std::size_t kJoiningShare = 8;

struct ActiveRow {
  std::size_t request;
  PackedRow cache;
  RandomStream stream;
  CountedTokens counted;  // By the repetition penalty.
  Generation result;
};

class Decoder {
 public:
  Decoder(const SoftPromptModel& model, const std::vector<GenerationRequest>& requests,
          const GenerationOptions& options,
          const std::function<void(std::size_t, const Generation&)>& done,
          const std::function<void(std::size_t, std::int64_t)>& token)
      : model_(model),
        requests_(requests),
        options_(options),
        done_(done),
        token_(token),
        prompts_(model, requests) {
    if (!on_host()) make_slots();
  }

  GenerationWork run() {
    const at::NoGradGuard no_grad;
    while (next_ < requests_.size() || !active_.empty()) {
      while (admits()) admit();
      if (!active_.empty()) advance();
    }
    return {prompts_.tokens(), new_tokens_};
  }

 private:
  bool on_host() const { return model_.backbone().device().is_cpu(); }

  /// A segment for each row in flight, with room for the longest prompt and answer, and a spare
  /// one.
  void make_slots() {
    std::int64_t room = 0;
    for (const auto& request : requests_) room = std::max(room, request.prompt->target_begin);
    room += options_.max_new_tokens;
    const auto rows =
        std::min(options_.rows_in_flight, static_cast<std::int64_t>(requests_.size()));
    slots_ = model_.backbone().new_segments(
        std::vector<std::int64_t>(static_cast<std::size_t>(rows) + 1, room));
    if (options_.record_steps && model_.lora() == nullptr) {
      recorded_ = RecordedDecoding::make(model_.backbone(), slots_, room);
    }
    slots_.pop_back();
  }

  /// Where a row begins to write behind its prompt. On the host it reads the prompt where that is;
  /// on a device it gets a copy of it in a slot, so that attention finds each row in one piece.
  PackedRow begin_row(const ReadPrompt& prompt) {
    if (on_host()) {
      const std::int64_t room = std::min(options_.max_new_tokens, kFirstTokens);
      return {.tokens = 1, .past = prompt.segments, .own = model_.backbone().new_segment(room)};
    }
    const SharedSegment slot = slots_.back();
    slots_.pop_back();
    slot->clear();
    for (const auto& segment : prompt.segments) slot->append(*segment);
    return {.tokens = 1, .past = {}, .own = slot};
  }

  void end_row(const ActiveRow& row) {
    if (!on_host()) slots_.push_back(row.cache.own);
    done_(row.request, row.result);
  }

  std::size_t room() const {
    return static_cast<std::size_t>(options_.rows_in_flight) - active_.size();
  }

  /// Whether waiting rows join now. On a device some at a time: it reads one prompt in the time of
  /// several.
  bool admits() const {
    const std::size_t waiting = requests_.size() - next_;
    const auto rows = static_cast<std::size_t>(options_.rows_in_flight);
    const std::size_t together = on_host() ? 1 : std::max<std::size_t>(1, rows / kJoiningShare);
    return waiting > 0 && room() >= std::min(together, waiting);
  }

  /// Lets waiting requests join: their first tokens.
  void admit() {
    std::vector<ActiveRow> joining;
    std::vector<at::Tensor> states;
    for (const auto& prompt : prompts_.read(next_, room())) {
      const auto& request = requests_[next_];
      joining.push_back(
          {next_++,
           begin_row(*prompt),
           RandomStream(request.seed, RandomPurpose::kSampling, {request.question, request.sample}),
           counted_prompt(*request.prompt, options_.sampling),
           {}});
      states.push_back(prompt->hidden);
    }
    take_tokens(model_.backbone().logits(at::cat(states)), joining);
    std::move(joining.begin(), joining.end(), std::back_inserter(active_));
  }

  /// One more token for every active row.
  void advance() {
    std::vector<std::int64_t> ids;
    std::vector<PackedRow> rows;
    for (const auto& row : active_) {
      ids.push_back(row.result.ids.back());
      rows.push_back(row.cache);
    }
    if (recorded_) return take_tokens(recorded_->step(ids, rows), active_);
    const auto& backbone = model_.backbone();
    const auto inputs = backbone.embed(to_device(ids, backbone.device()));
    take_tokens(backbone.logits(backbone.forward(inputs, rows, model_.lora())), active_);
  }

  /// No token is taken from numbers that are none: the largest of them would be a matter of chance.
  /// `sum` of all logits: finite ones do not overflow it.
  static void require_finite(double sum, const std::vector<ActiveRow>& rows) {
    if (std::isfinite(sum)) return;
    fail(ExitCode::kNumerics,
         {.what = "logits are not finite",
          .where = fmt::format("token {} of answer {}", rows.front().result.ids.size() + 1,
                               rows.front().request + 1),
          .fix = "look into the weights: softcot inspect MODEL --check-finite"});
  }

  /// Each row's next token from logits [B, V], which this may change.
  std::vector<std::int64_t> choose(const at::Tensor& logits, std::vector<ActiveRow>& rows) const {
    return logits.is_cpu() ? choose_on_host(logits, rows) : choose_on_device(logits, rows);
  }

  /// Without the logits' way to the host: one number a row makes it.
  std::vector<std::int64_t> choose_on_device(const at::Tensor& logits,
                                             std::vector<ActiveRow>& rows) const {
    const auto sum = logits.sum(at::kDouble).view({1});
    penalize(logits, rows);
    const auto tokens =
        options_.sampling.temperature == 0.0
            ? logits.argmax(1)
            : sample_tokens(logits, options_.sampling, to_device(draws_of(rows), logits.device()));
    const auto found = at::cat({sum, tokens.to(at::kDouble)}).cpu();
    const auto* numbers = found.const_data_ptr<double>();
    require_finite(numbers[0], rows);
    return {numbers + 1, numbers + found.numel()};
  }

  /// In place.
  void penalize(const at::Tensor& logits, const std::vector<ActiveRow>& rows) const {
    if (!options_.sampling.penalizes()) return;
    std::vector<const CountedTokens*> counted;
    for (const auto& row : rows) counted.push_back(&row.counted);
    penalize_repetitions(logits, counted, options_.sampling.repetition_penalty);
  }

  static at::Tensor draws_of(std::vector<ActiveRow>& rows) {
    std::vector<double> draws;
    for (auto& row : rows) draws.push_back(row.stream.uniform());
    return at::tensor(draws, at::kDouble);
  }

  std::vector<std::int64_t> choose_on_host(const at::Tensor& logits,
                                           std::vector<ActiveRow>& rows) const {
    require_finite(logits.sum().item<float>(), rows);
    penalize(logits, rows);
    std::vector<std::int64_t> tokens(rows.size());
    at::parallel_for(0, logits.size(0), 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const auto at = static_cast<std::size_t>(i);
        tokens[at] = sample_token(logits[i], options_.sampling, rows[at].stream);
      }
    });
    return tokens;
  }

  /// Chooses each row's next token from logits [B, V] and hands over the rows that end.
  void take_tokens(const at::Tensor& logits, std::vector<ActiveRow>& rows) {
    const auto tokens = choose(logits, rows);
    std::vector<ActiveRow> going_on;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      auto& row = rows[i];
      const std::int64_t token = tokens[i];
      row.result.ids.push_back(token);
      if (options_.sampling.penalizes()) row.counted.add(token);
      ++new_tokens_;
      if (token_) token_(row.request, token);
      const auto& stops = options_.stop_tokens;
      const bool stopped = std::find(stops.begin(), stops.end(), token) != stops.end();
      if (stopped) row.result.finish = Finish::kStop;
      if (stopped || static_cast<std::int64_t>(row.result.ids.size()) >= options_.max_new_tokens) {
        end_row(row);
      } else {
        going_on.push_back(std::move(row));
      }
    }
    rows = std::move(going_on);
  }

  const SoftPromptModel& model_;
  const std::vector<GenerationRequest>& requests_;
  const GenerationOptions& options_;
  const std::function<void(std::size_t, const Generation&)>& done_;
  const std::function<void(std::size_t, std::int64_t)>& token_;
  std::vector<SharedSegment> slots_;  // That no row is in; on a device.
  std::unique_ptr<RecordedDecoding> recorded_;
  std::size_t next_ = 0;
  std::vector<ActiveRow> active_;
  PromptReader prompts_;
  std::int64_t new_tokens_ = 0;
};

}  // namespace

GenerationWork generate(const SoftPromptModel& model,
                        const std::vector<GenerationRequest>& requests,
                        const GenerationOptions& options,
                        const std::function<void(std::size_t, const Generation&)>& done,
                        const std::function<void(std::size_t, std::int64_t)>& token) {
  return Decoder(model, requests, options, done, token).run();
}

}  // namespace softcot
