#include "evaluation/generation.h"

#include <algorithm>
#include <utility>

namespace softcot {
namespace {

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
      : model_(model), requests_(requests), options_(options), done_(done), token_(token) {}

  void run() {
    const at::NoGradGuard no_grad;
    while (next_ < requests_.size() || !active_.empty()) {
      while (next_ < requests_.size() && has_room()) admit();
      if (!active_.empty()) advance();
    }
  }

 private:
  bool has_room() const {
    return static_cast<std::int64_t>(active_.size()) < options_.rows_in_flight;
  }

  /// Prefills one waiting prompt and takes its first token. One at a time: a prompt fills the
  /// machine by itself, and its numbers cannot depend on its neighbours.
  void admit() {
    const auto& request = requests_[next_];
    std::vector<PackedRow> caches;
    const auto hidden = model_.prefill({request.prompt}, request.soft, caches);
    caches[0].tokens = 1;
    std::vector<ActiveRow> joining;
    joining.push_back(
        {next_++,
         std::move(caches[0]),
         RandomStream(request.seed, RandomPurpose::kSampling, {request.question, request.sample}),
         {}});
    take_tokens(hidden, joining);
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
    const auto& backbone = model_.backbone();
    const auto inputs = backbone.embed(at::tensor(ids, at::kLong).to(backbone.device()));
    take_tokens(backbone.forward(inputs, rows, model_.lora()), active_);
  }

  /// Samples each row's next token from its hidden state [B, H] and hands over the rows that end.
  void take_tokens(const at::Tensor& hidden, std::vector<ActiveRow>& rows) {
    const auto logits = model_.backbone().logits(hidden).cpu();
    std::vector<ActiveRow> going_on;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      auto& row = rows[i];
      const auto token =
          sample_token(logits[static_cast<std::int64_t>(i)], options_.sampling, row.stream);
      row.result.ids.push_back(token);
      if (token_) token_(row.request, token);
      const auto& stops = options_.stop_tokens;
      const bool stopped = std::find(stops.begin(), stops.end(), token) != stops.end();
      if (stopped) row.result.finish = Finish::kStop;
      if (stopped || static_cast<std::int64_t>(row.result.ids.size()) >= options_.max_new_tokens) {
        done_(row.request, row.result);
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
  std::size_t next_ = 0;
  std::vector<ActiveRow> active_;
};

}  // namespace

void generate(const SoftPromptModel& model, const std::vector<GenerationRequest>& requests,
              const GenerationOptions& options,
              const std::function<void(std::size_t, const Generation&)>& done,
              const std::function<void(std::size_t, std::int64_t)>& token) {
  Decoder(model, requests, options, done, token).run();
}

}  // namespace softcot
