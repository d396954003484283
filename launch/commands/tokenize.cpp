#include <iostream>

#include "data/tokenizer.h"
#include "launch/commands/commands.h"
#include "launch/json_lines.h"
#include "runtime/json_file.h"

namespace softcot {

ExitCode run_tokenize(Invocation& invocation) {
  std::filesystem::path model;
  OptionSet options("tokenize", "Turn JSON lines of text into token ids and back.");
  options.add_section("model", "The model whose tokenizer is used.");
  options.add("model.path", &model, "Hugging Face folder, or its tokenizer.json.").required = true;
  options.add_alias("model", "model.path");
  options.set_notes(
      "Standard input:  {\"text\": \"…\"}                          one object a line\n"
      "Standard output: {\"ids\": [1, 2], \"decoded\": \"…\"}        one line for each, at once\n"
      "No special token is added; those spelled out in the text are recognised.");
  options.add_example("echo '{\"text\": \"Hello\"}' | softcot tokenize --model DIR", "one text");
  if (!invocation.read(options)) return ExitCode::kOk;

  const Tokenizer tokenizer = Tokenizer::load(model);
  JsonLineReader lines(std::cin, "standard input");
  while (lines.next()) {
    const std::string text = require<std::string>(lines.object(), "text", lines.where());
    const std::vector<std::int64_t> ids = tokenizer.encode(text);
    write_json_line({{"ids", ids}, {"decoded", tokenizer.decode(ids)}});
  }
  return ExitCode::kOk;
}

}  // namespace softcot
