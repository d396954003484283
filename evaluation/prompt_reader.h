#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "evaluation/generation.h"

namespace softcot {

/// A prompt whose keys and values are there for all answers to it.
struct ReadPrompt {
  std::vector<SharedSegment> segments;
  at::Tensor hidden;  ///< [1, H], after its last token.
};

/// Reads the prompts of requests in their order. One that several requests in succession ask for is
/// read once.
///
/// On the host prompts are read one at a time: one fills the processors by itself, and no row's
/// numbers depend on its neighbours. On a device, where a pass over many takes hardly longer than a
/// pass over one, they are packed.
class PromptReader {
 public:
  /// Both must outlive this.
  PromptReader(const SoftPromptModel& model, const std::vector<GenerationRequest>& requests)
      : model_(model), requests_(requests) {}

  /// Prompts of the requests from `begin` on, as many as one pass reads: at least one, at most
  /// `most`. Collective over tp.
  std::vector<std::shared_ptr<const ReadPrompt>> read(std::size_t begin, std::size_t most);

  /// Tokens read so far, those of a prefix that the model shares left out.
  std::int64_t tokens() const { return tokens_; }

 private:
  void read_together(const std::vector<std::size_t>& requests,
                     std::vector<std::shared_ptr<const ReadPrompt>>& prompts);

  const SoftPromptModel& model_;
  const std::vector<GenerationRequest>& requests_;
  std::optional<std::size_t> newest_request_;
  std::shared_ptr<const ReadPrompt> newest_;
  std::int64_t tokens_ = 0;
};

}  // namespace softcot
