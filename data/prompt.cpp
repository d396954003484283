#include "data/prompt.h"

#include "data/prompt_file.h"
#include "runtime/error.h"
#include "runtime/hash.h"

namespace softcot {
namespace {

constexpr std::string_view kThoughtsMark = "{thoughts}";

std::string hash_texts(const std::vector<std::string_view>& texts) {
  Hasher hasher;
  for (const std::string_view text : texts) {
    hasher.add(static_cast<std::uint64_t>(text.size()));
    hasher.add(text);
  }
  return hasher.hex();
}

// Choices are part of the question: "(A) first (B) second".
std::string question_of(const Record& record) {
  std::string question = record.question;
  for (std::size_t i = 0; i < record.choices.size(); ++i) {
    question += i == 0 ? "\nChoices: (" : " (";
    question += static_cast<char>('A' + i);
    question += ") " + record.choices[i];
  }
  return question;
}

void require_section(const std::string& text, const std::string& section,
                     const std::string& where) {
  if (!text.empty()) return;
  fail(ExitCode::kUsage, {.what = "prompt file without the section that this method needs",
                          .where = where,
                          .expected = "[" + section + "]",
                          .fix = "docs/prompts.md has an example"});
}

}  // namespace

PromptTemplate PromptTemplate::load(const std::filesystem::path& path, ThoughtPrompt thoughts) {
  const PromptFile file(path);
  file.expect_only({"backbone.user", "backbone.hint", "assistant.user", "assistant.reply",
                    "assistant.user.uncounted", "assistant.reply.uncounted", "target.step",
                    "target.final", "assistant.write", "backbone.written"});
  const bool counted = thoughts == ThoughtPrompt::kCounted;
  const std::string kind = counted ? "" : ".uncounted";
  const std::vector<std::string_view> count =
      counted ? std::vector<std::string_view>{"n"} : std::vector<std::string_view>{};
  PromptTemplate prompt;
  prompt.thoughts_ = thoughts;
  prompt.backbone_user_ = file.section("backbone.user", {"question", "thoughts"}, {});
  prompt.backbone_hint_ = file.section("backbone.hint", {}, {});
  prompt.assistant_user_ = file.section("assistant.user" + kind, {"question"}, count);
  prompt.assistant_reply_ = file.section("assistant.reply" + kind, {}, count);
  prompt.where_ = path.string();
  if (file.has("assistant.write")) {
    prompt.assistant_write_ = file.section("assistant.write", {"question"}, {"n"});
  }
  if (file.has("backbone.written")) {
    prompt.backbone_written_ = file.section("backbone.written", {"text"}, {});
  }
  prompt.write_hash_ = hash_texts({prompt.assistant_write_});
  prompt.target_step_ = file.section("target.step", {"step"}, {"i"});
  prompt.target_final_ = file.section("target.final", {"answer"}, {});
  prompt.assistant_hash_ = hash_texts({prompt.assistant_user_, prompt.assistant_reply_});
  prompt.content_hash_ =
      hash_texts({prompt.assistant_hash_, prompt.backbone_user_, prompt.backbone_hint_,
                  prompt.target_step_, prompt.target_final_});
  prompt.written_hash_ =
      hash_texts({prompt.content_hash_, prompt.assistant_write_, prompt.backbone_written_});
  return prompt;
}

SplitText PromptTemplate::backbone_user(const Record& record, bool with_thoughts) const {
  const std::vector<PromptValue> values = {{"question", question_of(record)}};
  const std::size_t mark = backbone_user_.find(kThoughtsMark);
  std::string before = backbone_user_.substr(0, mark);
  const std::string after = backbone_user_.substr(mark + kThoughtsMark.size());
  if (!with_thoughts) {
    before.erase(before.find_last_not_of(" \n") + 1);
    return {fill_prompt(before, values), fill_prompt(after, values)};
  }
  return {fill_prompt(before, values) + backbone_hint_, fill_prompt(after, values)};
}

std::string PromptTemplate::assistant_user(const Record& record, std::int64_t n) const {
  return fill_prompt(assistant_user_,
                     {{"question", question_of(record)}, {"n", std::to_string(n)}});
}

std::string PromptTemplate::assistant_write(const Record& record, std::int64_t n) const {
  require_section(assistant_write_, "assistant.write", where_);
  return fill_prompt(assistant_write_,
                     {{"question", question_of(record)}, {"n", std::to_string(n)}});
}

std::string PromptTemplate::backbone_user_with(const Record& record,
                                               const std::string& written) const {
  require_section(backbone_written_, "backbone.written", where_);
  const std::vector<PromptValue> values = {{"question", question_of(record)}};
  const std::size_t mark = backbone_user_.find(kThoughtsMark);
  return fill_prompt(backbone_user_.substr(0, mark), values) +
         fill_prompt(backbone_written_, {{"text", written}}) +
         fill_prompt(backbone_user_.substr(mark + kThoughtsMark.size()), values);
}

std::string PromptTemplate::assistant_reply(std::int64_t n) const {
  return fill_prompt(assistant_reply_, {{"n", std::to_string(n)}});
}

std::string PromptTemplate::target(const Record& record, std::int64_t hidden) const {
  std::string text;
  for (auto i = static_cast<std::size_t>(hidden); i < record.rationale_steps.size(); ++i) {
    text += fill_prompt(target_step_,
                        {{"i", std::to_string(i + 1)}, {"step", record.rationale_steps[i]}});
    text += '\n';
  }
  return text + fill_prompt(target_final_, {{"answer", record.answer}});
}

std::string fill_prompt(std::string_view text, const std::vector<PromptValue>& values) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const PromptValue* match = nullptr;
    for (const PromptValue& value : values) {
      const std::string_view rest = text.substr(at + 1);
      if (text[at] == '{' && rest.starts_with(value.name) &&
          rest.substr(value.name.size()).starts_with('}')) {
        match = &value;
      }
    }
    if (match == nullptr) {
      out += text[at++];
    } else {
      out += match->value;
      at += match->name.size() + 2;
    }
  }
  return out;
}

}  // namespace softcot
