#include <optional>
#include <utility>

#include "launch/commands/commands.h"
#include "launch/json_lines.h"
#include "launch/options/sampling.h"
#include "launch/run/generation_config.h"
#include "launch/run/single_question.h"
#include "launch/run/tool_model.h"
#include "runtime/error.h"
#include "runtime/json_file.h"

namespace softcot {
namespace {

struct GenerateOptions {
  SingleQuestion question;
  bool json = false;
  bool greedy = false;
};

GenerationRequest parse_request(const ToolModel& tool, const nlohmann::json& object,
                                const InputLine& line, std::uint64_t seed) {
  const std::string where = line.where();
  if (object.contains("ids") + object.contains("prompt") + object.contains("messages") != 1) {
    fail(ExitCode::kInput, {.what = "not clear what to continue",
                            .where = where,
                            .expected = "one of ids, prompt and messages"});
  }
  SoftRow row;
  row.id = where;
  if (object.contains("ids")) {
    row.ids = tool.ids(object, where);
  } else if (object.contains("prompt")) {
    row.ids = tool.encode(require<std::string>(object, "prompt", where), where);
  } else {
    row.ids = tool.encode_messages(object, where);
  }
  tool.require_ids(row.ids, where);
  row.target_begin = static_cast<std::int64_t>(row.ids.size());
  return {.prompt = share_prompt(std::move(row)),
          .soft = {},
          .seed = seed,
          .question = static_cast<std::uint64_t>(line.number)};
}

void write_answer(const ToolModel& tool, const Generation& result) {
  const bool stopped = result.finish == Finish::kStop;
  const auto words = std::span(result.ids).first(result.ids.size() - (stopped ? 1 : 0));
  write_json_line(
      {{"ids", result.ids}, {"text", tool.decode(words)}, {"finish", stopped ? "stop" : "length"}});
}

/// Answers come in the order of the lines, each as soon as those before it have been written.
void serve(Invocation& invocation, RunOptions& run, const GenerateOptions& options) {
  ToolModel tool(invocation, run);
  if (tool.speaks()) {
    warn_of_generation_config(run.model.path, options.question.generation.sampling, "");
  }
  const SoftPromptModel model(tool.model(), {});
  GenerationOptions generation = options.question.generation;
  if (!options.question.ignore_stop) generation.stop_tokens = tool.stop_tokens();
  // More lines than places, so that a waiting line takes the place of one that has ended.
  const auto limit = static_cast<std::size_t>(8 * generation.rows_in_flight);
  serve_json_lines(
      tool.input(), limit,
      [&](const nlohmann::json& object, const InputLine& line) {
        return parse_request(tool, object, line, options.question.seed);
      },
      [&](const std::vector<GenerationRequest>& requests) {
        std::vector<std::optional<Generation>> results(requests.size());
        std::size_t next = 0;
        generate(model, requests, generation, [&](std::size_t i, const Generation& result) {
          results[i] = result;
          for (; next < results.size() && results[next]; ++next) {
            if (tool.speaks()) write_answer(tool, *results[next]);
          }
        });
      });
}

void add_generate_options(OptionSet& options, GenerateOptions& generate) {
  SingleQuestion& question = generate.question;
  GenerationOptions& generation = question.generation;
  options.add("json", &generate.json, "Continue JSON lines of standard input.");
  options.add("question", &question.text, "Answer this question, on the terminal.");
  options.add("show-thoughts", &question.show_thoughts,
              "First show the tokens nearest to each soft thought of the question.");
  options.add("max-new-tokens", &generation.max_new_tokens, "Longest continuation.", at_least(1))
      .unit = "tokens";
  options.add("greedy", &generate.greedy,
              "Always take the likeliest token; so it is unless a temperature is given.");
  add_sampling(options, "", generation.sampling);
  options.add("seed", &question.seed, "Decides every sampled token.", any_number());
  options
      .add("batch", &generation.rows_in_flight, "Lines continued at once, of those that wait.",
           at_least(1))
      .unit = "lines";
  options.add("ignore-stop", &question.ignore_stop,
              "Go on past stop tokens, for as many tokens as allowed.");
}

void require_sensible(const GenerateOptions& generate, const RunOptions& run) {
  const auto refuse = [](std::string what, std::string where, std::string fix) {
    fail(ExitCode::kUsage,
         {.what = std::move(what), .where = std::move(where), .fix = std::move(fix)});
  };
  const SingleQuestion& question = generate.question;
  if (generate.json == !question.text.empty()) {
    refuse(generate.json ? "both JSON lines and a question to answer" : "nothing to answer",
           "--question", "give either --json or --question TEXT");
  }
  if (generate.json && question.show_thoughts) {
    refuse("JSON lines are continued without soft thoughts", "--show-thoughts",
           "ask with --question TEXT");
  }
  if (question.show_thoughts && run.folder.empty()) {
    refuse("no soft thoughts to show", "--show-thoughts",
           "name the run that trained a projection with --run.folder DIR");
  }
  if (generate.greedy && question.generation.sampling.temperature > 0) {
    refuse("greedy and sampled at once", "--greedy", "leave out --greedy or --temperature");
  }
}

}  // namespace

ExitCode run_generate(Invocation& invocation) {
  RunOptions run;
  GenerateOptions generate;
  OptionSet options("generate", "Continue JSON lines, or answer a question with soft thoughts.");
  add_run_options(options, run,
                  {"model", "assistant", "parallel", "thoughts", "run.folder", "prompts"});
  options.find("run.folder")->required = false;
  options.find("run.folder")->help = "Run whose projection makes the question's soft thoughts.";
  add_generate_options(options, generate);
  options.set_notes(
      "With --json, standard input:\n"
      "  {\"ids\": [1, 2]}   {\"prompt\": \"…\"}   {\"messages\": [{\"role\": \"user\", "
      "\"content\": "
      "\"…\"}]}\n"
      "Standard output, one line for each, in their order:\n"
      "  {\"ids\": [3, 4], \"text\": \"…\", \"finish\": \"stop\"}    or \"finish\": \"length\"\n"
      "ids are the new ones, a stop token included; text is theirs without it. Stop tokens are "
      "those of\n"
      "the folder's generation_config.json or config.json. Special tokens spelled out in a prompt "
      "are\n"
      "recognised, in messages they are plain words. A folder without tokenizer.json is asked by "
      "ids and\n"
      "answers without text. A line's number and the seed decide what is sampled. Under mpirun, "
      "all "
      "ranks\n"
      "share the model (--parallel.tp), rank 0 reads and writes.");
  options.add_example("softcot generate --model DIR --greedy --max-new-tokens 32 --json <lines",
                      "continue each line");
  options.add_example("softcot generate --config RUN/config.cfg --show-thoughts --question \"…\"",
                      "answer with the soft thoughts that the run RUN trained");
  if (!invocation.read(options)) return ExitCode::kOk;
  require_sensible(generate, run);
  if (generate.json) {
    serve(invocation, run, generate);
  } else {
    generate.question.default_thoughts = !options.given("thoughts.count");
    answer_question(invocation, run, generate.question);
  }
  return ExitCode::kOk;
}

}  // namespace softcot
