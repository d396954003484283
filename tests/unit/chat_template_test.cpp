// Chat templates in model folders: prompts have the built-in format, and a folder whose own
// template is another one is reported.
#include "data/chat_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/faults.h"
#include "support/files.h"
#include "support/job.h"
#include "support/tiny_model.h"

namespace softcot::test {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using Json = nlohmann::json;

const std::string kOther =
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}";

std::string published(const std::string& name) {
  return slurp(fixture_folder() / "chat-templates" / (name + "-instruct.jinja"));
}

/// A model folder with the template in one of the places.
class Folder {
 public:
  fs::path path() const { return folder_.path(); }
  void write(const std::string& name, const std::string& text) const {
    fs::create_directories((path() / name).parent_path());
    spill(path() / name, text);
  }
  void write_config(const Json& chat_template) const {
    write("tokenizer_config.json", Json{{"chat_template", chat_template}}.dump());
  }
  std::string found() const {
    const auto found = find_chat_template(path());
    return found ? fs::relative(found->file, path()).string() + ": " + found->text : "none";
  }

 private:
  TemporaryFolder folder_;
};

TEST(ChatTemplate, IsFoundWhereTransformersFindsIt) {
  const Folder folder;
  EXPECT_EQ(folder.found(), "none");
  folder.write("tokenizer_config.json", "{\"bos_token\": null}");
  EXPECT_EQ(folder.found(), "none");
  for (const Json& nothing : {Json(), Json(""), Json::array(), Json::object()}) {
    folder.write_config(nothing);
    EXPECT_EQ(folder.found(), "none") << nothing;
  }
  folder.write("chat_template.json", R"({"chat_template": "F"})");
  EXPECT_EQ(folder.found(), "chat_template.json: F");

  folder.write_config("A");
  EXPECT_EQ(folder.found(), "tokenizer_config.json: A");
  const Json tools = {{"name", "tool_use"}, {"template", "T"}};
  folder.write_config({tools, {{"name", "default"}, {"template", "B"}}});
  EXPECT_EQ(folder.found(), "tokenizer_config.json: B");
  folder.write_config({{"default", "C"}, {"tool_use", "T"}});
  EXPECT_EQ(folder.found(), "tokenizer_config.json: C");
  for (const Json& no_default : {Json::array({tools}), Json{{"tool_use", "T"}}, Json(7)}) {
    folder.write_config(no_default);
    EXPECT_EQ(folder.found(), "tokenizer_config.json: ") << no_default;
  }

  folder.write("additional_chat_templates/rag.jinja", "R");
  EXPECT_EQ(folder.found(), "additional_chat_templates: ");
  folder.write("chat_template.jinja", "D");
  EXPECT_EQ(folder.found(), "chat_template.jinja: D");
  folder.write("additional_chat_templates/default.jinja", "E");
  EXPECT_EQ(folder.found(), "additional_chat_templates/default.jinja: E");

  const Folder damaged;
  damaged.write("tokenizer_config.json", "{");
  EXPECT_EQ(error_of([&] { damaged.found(); }).code(), ExitCode::kInput);
}

TEST(ChatTemplate, ThePublishedOneOfTheFamilyIsBuiltIn) {
  const std::map<Family, std::string> own = {{Family::kSmollm2, published("smollm2")},
                                             {Family::kQwen2, published("qwen2.5")}};
  for (const Family family : {Family::kLlama, Family::kQwen2, Family::kSmollm2}) {
    for (const auto& [of, text] : own) {
      ASSERT_GT(text.size(), 300U);
      EXPECT_EQ(is_built_in(text, family), family == of);
    }
    EXPECT_FALSE(is_built_in("", family));
    EXPECT_FALSE(is_built_in(kOther, family));
  }
  // Line ends are Jinja's business, every other character the model's.
  std::string text = own.at(Family::kQwen2);
  EXPECT_TRUE(is_built_in(text.substr(0, text.size() - 1), Family::kQwen2));
  EXPECT_FALSE(is_built_in(text + "\n", Family::kQwen2));
  EXPECT_FALSE(is_built_in(" " + text, Family::kQwen2));
  for (std::size_t at = 0; (at = text.find('\n', at)) != std::string::npos; at += 2) {
    text.replace(at, 1, "\r\n");
  }
  EXPECT_TRUE(is_built_in(text, Family::kQwen2));
  text.replace(text.find("helpful"), 7, "careful");
  EXPECT_FALSE(is_built_in(text, Family::kQwen2));
}

TEST(ChatTemplate, TheWarningNamesFileFormatAndPreview) {
  const Folder folder;
  EXPECT_EQ(chat_template_warning(folder.path(), Family::kQwen2), "");
  folder.write_config(published("qwen2.5"));
  EXPECT_EQ(chat_template_warning(folder.path(), Family::kQwen2), "");
  EXPECT_THAT(chat_template_warning(folder.path(), Family::kSmollm2),
              AllOf(HasSubstr((folder.path() / "tokenizer_config.json").string() + ": "),
                    HasSubstr("built-in format of smollm2"), HasSubstr("softcot preview")));
  folder.write("chat_template.jinja", kOther);
  EXPECT_THAT(chat_template_warning(folder.path(), Family::kQwen2),
              HasSubstr("chat_template.jinja"));
}

/// The warnings of a job, each with the folder that it is about.
std::string warnings(const std::string& err) {
  std::string names;
  for (const std::string& line : lines_with(err, "this chat template is not")) {
    for (const char* model : {"assistant", "backbone"}) {
      if (line.find("/" + std::string(model) + "/") != std::string::npos) {
        names += std::string(names.empty() ? "" : " ") + model;
      }
    }
  }
  return names;
}

TEST(ChatTemplate, EachCommandWarnsOnceOfEachModel) {
  const TinyProject project;
  const auto run = [&](const std::vector<std::string>& words, int ranks = 0) {
    const ChildResult result = run_softcot(words, on_ranks(ranks));
    EXPECT_EQ(result.status, 0) << result.err;
    return warnings(result.err);
  };
  EXPECT_EQ(run(project.call("preview")), "");
  spill(project.path("backbone") / "chat_template.jinja", kOther);
  spill(project.path("assistant") / "tokenizer_config.json",
        Json{{"chat_template", kOther}}.dump());
  EXPECT_EQ(run(project.call("preview")), "backbone assistant");
  EXPECT_EQ(run(project.call("precompute")), "assistant");
  EXPECT_EQ(run(project.call_in("run", "train", {"--train.steps", "2"}), 2), "backbone assistant");
  EXPECT_EQ(run(project.call_in("run", "evaluate",
                                {"--evaluate.methods", "softcot", "--max-new-tokens", "2"}),
                2),
            "backbone assistant");

  // Models that answer lines write a chat only around messages.
  const auto generate = [&](const std::string& line) {
    return warnings(run_child({SOFTCOT_PROGRAM, "generate", "--model", project.path("backbone"),
                               "--json", "--greedy", "--max-new-tokens", "2"},
                              line)
                        .err);
  };
  const std::string messages = R"({"messages":[{"role":"user","content":"Hi"}]})"
                               "\n";
  EXPECT_EQ(generate(messages + messages), "backbone");
  EXPECT_EQ(generate("{\"prompt\":\"Hi\"}\n"), "");

  const ChildResult inspected = run_softcot({"inspect", project.path("backbone")});
  EXPECT_THAT(inspected.out, HasSubstr("chat_template.jinja: not known"));
  spill(project.path("backbone") / "chat_template.jinja", published("smollm2"));
  EXPECT_EQ(run(project.call("preview")), "assistant");
}

}  // namespace
}  // namespace softcot::test
