// A prompt file, filled with the words of a record that spells placeholders.
#include "data/prompt.h"

#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace softcot;
  const auto [file, words] = fuzz::halves(fuzz::text(data, size));
  const auto path = fuzz::write("prompt.txt", file);
  const Record record{.id = "1",
                      .question = "{question}{n}" + std::string(words),
                      .rationale_steps = {"{step}", "{i}" + std::string(words)},
                      .answer = "{answer}" + std::string(words),
                      .type = AnswerType::kChoice,
                      .choices = {"{thoughts}", "}{n}"}};
  for (const ThoughtPrompt thoughts : {ThoughtPrompt::kCounted, ThoughtPrompt::kUncounted}) {
    fuzz::accepts([&] {
      const PromptTemplate prompt = PromptTemplate::load(path, thoughts);
      const auto holds = [&](const std::string& text, const std::string& part) {
        fuzz::require(text.find(part) != std::string::npos, "a record's words stay as they are");
      };
      for (const bool with_thoughts : {false, true}) {
        const SplitText turn = prompt.backbone_user(record, with_thoughts);
        holds(turn.before + turn.after, record.question);
      }
      for (const std::int64_t n : {1, 32}) {
        holds(prompt.assistant_user(record, n), record.question);
        prompt.assistant_reply(n);
      }
      holds(prompt.target(record), record.answer);
      fuzz::accepts([&] { holds(prompt.assistant_write(record, 8), record.question); });
      fuzz::accepts([&] { holds(prompt.backbone_user_with(record, "{text}"), "{text}"); });
    });
  }
  return 0;
}
