#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/tokenizer.h"
#include "launch/command.h"
#include "launch/options/run_options.h"
#include "launch/run/shared_input.h"
#include "model/transformer.h"
#include "runtime/process_world.h"

namespace softcot {

/// A model that answers JSON lines, on ranks that all share it. A folder without tokenizer.json
/// will do: then lines hold token ids.
class ToolModel {
 public:
  /// Throws kUsage unless the ranks of the job are parallel.tp, kInput for a folder that cannot be
  /// used. Collective over the world.
  ToolModel(Invocation& invocation, RunOptions& run);

  const Transformer& model() const { return model_; }
  /// Whether this rank writes the answers.
  bool speaks() const { return groups_.world->rank() == 0; }
  SharedInput& input() { return input_; }

  // What a line holds. All throw kInput naming `where`, a place in the input. Local.

  /// The list "ids", as require_ids wants it.
  std::vector<std::int64_t> ids(const nlohmann::json& object, const std::string& where) const;
  /// Throws unless there is an id and all are in the model's vocabulary.
  void require_ids(const std::vector<std::int64_t>& ids, const std::string& where) const;
  /// Ids of text whose special tokens are recognised; none is added. May be empty.
  std::vector<std::int64_t> encode(const std::string& text, const std::string& where) const;
  /// Ids of "messages", each with role and content, and the opening of the answer. Contents are
  /// plain words.
  std::vector<std::int64_t> encode_messages(const nlohmann::json& object,
                                            const std::string& where) const;
  /// The text of ids; empty without a tokenizer.
  std::string decode(std::span<const std::int64_t> ids) const;

  /// The end-of-sequence tokens that the folder names; the chat format's when it names none.
  std::vector<std::int64_t> stop_tokens() const;

 private:
  const Tokenizer& tokenizer(const std::string& where) const;

  ProcessGroups groups_;
  std::optional<Tokenizer> tokenizer_;
  Transformer model_;
  SharedInput input_;
};

/// Throws kUsage unless all ranks of the job share one model.
void require_one_replica(const ProcessWorld& world, const ParallelOptions& parallel);

}  // namespace softcot
