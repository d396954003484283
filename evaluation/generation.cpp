#include "evaluation/generation.h"

#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <utility>

#include "evaluation/recorded_decoding.h"
#include "runtime/error.h"

namespace softcot {
namespace {

/// Room that a row begins with for its own tokens; more is made as it needs it.
constexpr std::int64_t kFirstTokens = 64;

/// A prompt that was read: a segment for all of its rows, and the state that their first tokens
/// come from.
struct ReadPrompt {
  std::size_t request;
  std::vector<SharedSegment> segments;
  at::Tensor hidden;  // [1, H]
};

bool same_prompt(const GenerationRequest& a, const GenerationRequest& b) {
  const SoftRow& x = a.prompt;
  const SoftRow& y = b.prompt;
  const auto end = x.target_begin;
  return a.soft.is_same(b.soft) && end == y.target_begin && x.thought_begin == y.thought_begin &&
         x.thought_count == y.thought_count &&
         std::equal(x.ids.begin(), x.ids.begin() + end, y.ids.begin());
}

struct ActiveRow {
  std::size_t request;
  PackedRow cache;
  RandomStream stream;
  Generation result;
};

class Decoder {
 public:
  Decoder(const SoftPromptModel& model, const std::vector<GenerationRequest>& requests,
          const GenerationOptions& options,
          const std::function<void(std::size_t, const Generation&)>& done,
          const std::function<void(std::size_t, std::int64_t)>& token)
      : model_(model), requests_(requests), options_(options), done_(done), token_(token) {
    if (!model.backbone().device().is_cpu()) make_slots();
  }

  GenerationWork run() {
    const at::NoGradGuard no_grad;
    while (next_ < requests_.size() || !active_.empty()) {
      while (next_ < requests_.size() && has_room()) admit();
      if (!active_.empty()) advance();
    }
    return work_;
  }

 private:
  /// A segment for each row in flight, with room for the longest prompt and answer, and a spare
  /// one.
  void make_slots() {
    std::int64_t room = 0;
    for (const auto& request : requests_) room = std::max(room, request.prompt.target_begin);
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
    if (model_.backbone().device().is_cpu()) {
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
    if (!model_.backbone().device().is_cpu()) slots_.push_back(row.cache.own);
    done_(row.request, row.result);
  }

  bool has_room() const {
    return static_cast<std::int64_t>(active_.size()) < options_.rows_in_flight;
  }

  /// Reads one waiting prompt, unless the request before had the same. One at a time: a prompt
  /// fills the machine by itself, and its numbers cannot depend on its neighbours.
  const ReadPrompt& read_prompt(std::size_t index) {
    const auto& request = requests_[index];
    if (read_ && same_prompt(requests_[read_->request], request)) return *read_;
    std::vector<PackedRow> caches;
    const auto hidden = model_.prefill({request.prompt}, request.soft, caches);
    work_.prompt_tokens += caches[0].tokens;
    auto segments = std::move(caches[0].past);
    segments.push_back(std::move(caches[0].own));
    return read_.emplace(ReadPrompt{index, std::move(segments), hidden});
  }

  /// Lets a waiting request join: its first token.
  void admit() {
    const auto& request = requests_[next_];
    const ReadPrompt& prompt = read_prompt(next_);
    std::vector<ActiveRow> joining;
    joining.push_back(
        {next_++,
         begin_row(prompt),
         RandomStream(request.seed, RandomPurpose::kSampling, {request.question, request.sample}),
         {}});
    take_tokens(model_.backbone().logits(prompt.hidden), joining);
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
    const auto inputs = backbone.embed(at::tensor(ids, at::kLong).to(backbone.device()));
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

  /// Each row's next token from logits [B, V].
  std::vector<std::int64_t> choose(const at::Tensor& logits, std::vector<ActiveRow>& rows) const {
    if (options_.sampling.temperature == 0.0 && !logits.is_cpu()) {
      return likeliest_on_device(logits, rows);
    }
    return sample_on_host(logits.cpu(), rows);
  }

  /// Without the logits' way to the host: one number a row makes it.
  static std::vector<std::int64_t> likeliest_on_device(const at::Tensor& logits,
                                                       const std::vector<ActiveRow>& rows) {
    const auto sum = logits.sum(at::kDouble).view({1});
    const auto found = at::cat({sum, logits.argmax(1).to(at::kDouble)}).cpu();
    const auto* numbers = found.const_data_ptr<double>();
    require_finite(numbers[0], rows);
    return {numbers + 1, numbers + found.numel()};
  }

  std::vector<std::int64_t> sample_on_host(const at::Tensor& logits,
                                           std::vector<ActiveRow>& rows) const {
    require_finite(logits.sum().item<float>(), rows);
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
      ++work_.new_tokens;
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
  std::optional<ReadPrompt> read_;
  GenerationWork work_;
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
