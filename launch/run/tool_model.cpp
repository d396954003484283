#include "launch/run/tool_model.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "data/chat_format.h"
#include "data/chat_template.h"
#include "data/special_tokens.h"
#include "launch/machine/threads.h"
#include "runtime/error.h"
#include "runtime/json_file.h"

namespace softcot {
namespace {

ProcessGroups one_replica(Invocation& invocation, RunOptions& run) {
  ProcessWorld& world = invocation.world();
  require_one_replica(world, run.parallel);
  return start_groups(invocation, run);
}

std::optional<Tokenizer> tokenizer_of(const std::filesystem::path& folder) {
  if (!std::filesystem::exists(folder / "tokenizer.json")) return std::nullopt;
  return Tokenizer::load(folder);
}

/// A third of the collectives' patience.
std::chrono::milliseconds keep_alive(const ParallelOptions& parallel) {
  constexpr double kLongest = 60;
  return std::chrono::milliseconds(
      1 + static_cast<std::int64_t>(std::min(kLongest, parallel.timeout_seconds / 3) * 1000));
}

}  // namespace

void require_one_replica(const ProcessWorld& world, const ParallelOptions& parallel) {
  if (world.size() == parallel.tp) return;
  fail(ExitCode::kUsage, {.what = "all ranks of this command share one model",
                          .where = "parallel.tp",
                          .expected = fmt::format("{}, the number of ranks", world.size()),
                          .got = std::to_string(parallel.tp),
                          .fix = fmt::format("give --parallel.tp {}, or start {} rank(s)",
                                             world.size(), parallel.tp)});
}

ToolModel::ToolModel(Invocation& invocation, RunOptions& run)
    : groups_(one_replica(invocation, run)),
      tokenizer_(tokenizer_of(run.model.path)),
      model_(run.model.path, run.model.load, *groups_.tp),
      input_(STDIN_FILENO, *groups_.world, keep_alive(run.parallel)) {}

const Tokenizer& ToolModel::tokenizer(const std::string& where) const {
  if (!tokenizer_) {
    fail(ExitCode::kInput,
         {.what = "text for a model without a tokenizer",
          .where = where,
          .expected = "{\"ids\": […]}",
          .fix = "give token ids, or put tokenizer.json into the model's folder"});
  }
  return *tokenizer_;
}

std::vector<std::int64_t> ToolModel::ids(const nlohmann::json& object,
                                         const std::string& where) const {
  auto ids = require<std::vector<std::int64_t>>(object, "ids", where);
  require_ids(ids, where);
  return ids;
}

/// Text may hold ids too that the model has no embedding for: its tokenizer may be another model's.
void ToolModel::require_ids(const std::vector<std::int64_t>& ids, const std::string& where) const {
  const std::int64_t vocabulary = model_.config().vocabulary;
  if (ids.empty()) {
    fail(ExitCode::kInput, {.what = "no token", .where = where, .expected = "at least one"});
  }
  for (const std::int64_t id : ids) {
    if (id >= 0 && id < vocabulary) continue;
    fail(ExitCode::kInput, {.what = "token id outside of the model's vocabulary",
                            .where = where,
                            .expected = fmt::format("0 to {}", vocabulary - 1),
                            .got = std::to_string(id)});
  }
}

std::vector<std::int64_t> ToolModel::encode(const std::string& text,
                                            const std::string& where) const {
  return tokenizer(where).encode(text);
}

std::vector<std::int64_t> ToolModel::encode_messages(const nlohmann::json& object,
                                                     const std::string& where) const {
  const Tokenizer& words = tokenizer(where);
  std::vector<ChatMessage> messages;
  for (const auto& each : require<std::vector<nlohmann::json>>(object, "messages", where)) {
    messages.push_back(ChatMessage::words(require<std::string>(each, "role", where),
                                          require<std::string>(each, "content", where)));
  }
  try {
    const Family family = detect_family(words, model_.config().model_type);
    warn_of_chat_template(std::filesystem::path(words.path()).parent_path(), family);
    return encode_chat(words, render_chat(family, messages, AfterChat::kGenerationPrompt));
  } catch (const Error& error) {
    Problem problem = error.problem();
    problem.where = problem.where.empty() ? where : where + ", " + problem.where;
    fail(error.code(), problem);
  }
}

std::string ToolModel::decode(std::span<const std::int64_t> ids) const {
  return tokenizer_ ? tokenizer_->decode(ids) : std::string();
}

std::vector<std::int64_t> ToolModel::stop_tokens() const {
  const ModelConfig& config = model_.config();
  if (!config.stop_tokens.empty() || !tokenizer_) return config.stop_tokens;
  return special_tokens(*tokenizer_, detect_family(*tokenizer_, config.model_type)).stop;
}

}  // namespace softcot
