#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "launch/commands/commands.h"
#include "launch/json_lines.h"
#include "launch/run/tool_model.h"
#include "model/soft_prompt.h"
#include "runtime/error.h"
#include "runtime/json_file.h"

namespace softcot {
namespace {

/// Lines answered together, and the packed tokens of one pass.
constexpr std::size_t kLines = 64;
constexpr std::int64_t kPassTokens = 4096;

struct ScoreRequest {
  SoftRow row;                 ///< Targets are what is scored.
  bool starts_unknown = true;  ///< The first token has nothing before it, and no probability.
};

struct Answer {
  std::vector<double> logprobs;
  bool is_greedy = true;
};

ScoreRequest whole_row(std::vector<std::int64_t> ids, const std::string& where) {
  ScoreRequest request;
  request.row.id = where;
  request.row.ids = std::move(ids);
  request.row.target_begin = 1;
  return request;
}

ScoreRequest parse_request(const ToolModel& tool, const nlohmann::json& object,
                           const std::string& where) {
  const bool has_ids = object.contains("ids");
  if (has_ids == object.contains("prompt") || has_ids == object.contains("completion")) {
    fail(ExitCode::kInput, {.what = "not clear what to score",
                            .where = where,
                            .expected = "either ids, or prompt and completion"});
  }
  if (has_ids) return whole_row(tool.ids(object, where), where);
  const auto prompt = require<std::string>(object, "prompt", where);
  const auto completion = require<std::string>(object, "completion", where);
  const auto prompt_tokens = static_cast<std::int64_t>(tool.encode(prompt, where).size());
  ScoreRequest request = whole_row(tool.encode(prompt + completion, where), where);
  tool.require_ids(request.row.ids, where);
  const auto tokens = static_cast<std::int64_t>(request.row.ids.size());
  if (!completion.empty() && tokens <= prompt_tokens) {
    fail(ExitCode::kInput, {.what = "completion has no token of its own",
                            .where = where,
                            .expected = "one that does not melt into the prompt's last token"});
  }
  request.starts_unknown = prompt_tokens == 0;
  request.row.target_begin = std::max<std::int64_t>(1, prompt_tokens);
  return request;
}

Answer answer_of(const TokenScores& scores, const SoftRow& row, std::int64_t first) {
  Answer answer;
  for (std::int64_t t = 0; t < row.targets(); ++t) {
    const double nll = scores.nll[first + t].item<double>();
    if (!std::isfinite(nll)) {
      fail(ExitCode::kNumerics,
           {.what = "log-probability is not a finite number", .where = row.id});
    }
    answer.logprobs.push_back(-nll);
    answer.is_greedy =
        answer.is_greedy && scores.best[first + t].item<std::int64_t>() ==
                                row.ids[static_cast<std::size_t>(row.target_begin + t)];
  }
  return answer;
}

/// In the order of the requests.
std::vector<Answer> score_requests(const SoftPromptModel& model,
                                   const std::vector<ScoreRequest>& requests) {
  const at::NoGradGuard no_grad;
  std::vector<Answer> answers;
  for (std::size_t begin = 0; begin < requests.size();) {
    std::vector<SoftRow> rows;  // those of this pass with something to score
    std::int64_t tokens = 0;
    std::size_t end = begin;
    for (; end < requests.size(); ++end) {
      tokens += static_cast<std::int64_t>(requests[end].row.ids.size());
      if (end > begin && tokens > kPassTokens) break;
      if (requests[end].row.targets() > 0) rows.push_back(requests[end].row);
    }
    TokenScores scores;
    if (!rows.empty()) scores = model.score(rows, {});
    if (!rows.empty()) scores = {scores.nll.cpu(), scores.best.cpu()};
    std::int64_t first = 0;
    for (; begin < end; ++begin) {
      answers.push_back(answer_of(scores, requests[begin].row, first));
      first += requests[begin].row.targets();
    }
  }
  return answers;
}

void write_answer(const ScoreRequest& request, const Answer& answer) {
  nlohmann::ordered_json logprobs = nlohmann::ordered_json::array();
  if (request.starts_unknown) logprobs.push_back(nullptr);
  double sum = 0;
  for (const double logprob : answer.logprobs) {
    logprobs.push_back(logprob);
    sum += logprob;
  }
  write_json_line(
      {{"token_logprobs", logprobs}, {"logprob", sum}, {"is_greedy", answer.is_greedy}});
}

}  // namespace

ExitCode run_score(Invocation& invocation) {
  RunOptions run;
  OptionSet options("score", "Say how likely a model finds JSON lines of text or ids.");
  add_run_options(options, run, {"model", "parallel"});
  options.set_notes(
      "Standard input:  {\"ids\": [1, 2, 3]}                       scores every id but the first\n"
      "                 {\"prompt\": \"…\", \"completion\": \"…\"}      scores the completion's "
      "tokens\n"
      "Standard output: {\"token_logprobs\": [null, -0.5, -2], \"logprob\": -2.5, \"is_greedy\": "
      "false}\n"
      "One line for each, at once; natural logarithms; a first token has none (null). is_greedy: "
      "every\n"
      "scored token is the likeliest. Prompt and completion are encoded as one text; the "
      "completion is\n"
      "what follows as many tokens as the prompt alone has. No special token is added; those "
      "spelled\n"
      "out in the text are recognised. A folder without tokenizer.json is asked by ids. Under "
      "mpirun,\n"
      "all ranks share the model (--parallel.tp), rank 0 reads and writes.");
  options.add_example("echo '{\"ids\": [1, 2, 3]}' | softcot score --model DIR", "three ids");
  options.add_example("mpirun -n 2 softcot score --model DIR --parallel.tp 2 <lines",
                      "two ranks share the model");
  if (!invocation.read(options)) return ExitCode::kOk;

  ToolModel tool(invocation, run);
  const SoftPromptModel model(tool.model(), {});
  serve_json_lines(
      tool.input(), kLines,
      [&](const nlohmann::json& object, const InputLine& line) {
        return parse_request(tool, object, line.where());
      },
      [&](const std::vector<ScoreRequest>& requests) {
        const std::vector<Answer> answers = score_requests(model, requests);
        for (std::size_t i = 0; tool.speaks() && i < answers.size(); ++i) {
          write_answer(requests[i], answers[i]);
        }
      });
  return ExitCode::kOk;
}

}  // namespace softcot
