#include "data/chat_template.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "runtime/atomic_file.h"
#include "runtime/hash.h"
#include "runtime/json_file.h"
#include "runtime/warn_once.h"

namespace softcot {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr std::uint64_t kLargestTemplate = std::uint64_t{16} << 20;  // bytes

struct Published {
  Family family;
  const char* hash;  // of normalized()
};
constexpr Published kPublished[] = {
    {Family::kLlama, "9ddcd6cd71f96dd76ca7779b7730196a"},    // Llama 3.1 and 3.3 Instruct
    {Family::kLlama, "573e1bcc8c56f178c3d57e38f5ff0756"},    // Llama 3.2 Instruct
    {Family::kQwen2, "e392aa06018503fd2469c9508f79506e"},    // Qwen2.5 Instruct and Coder
    {Family::kSmollm2, "98f63cc3d421d28f99ab995e9629dacd"},  // SmolLM2 Instruct
};

/// The text as Jinja reads it: \r\n and \r are line breaks, and one at the end does not count.
std::string normalized(const std::string& text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n') continue;
    result += text[i] == '\r' ? '\n' : text[i];
  }
  if (result.ends_with('\n')) result.pop_back();
  return result;
}

/// The default among templates by name, which older folders keep as a list of {name, template}.
std::string default_of(const Json& templates) {
  if (templates.is_string()) return templates.get<std::string>();
  if (templates.is_object()) {
    const auto found = templates.find("default");
    return found != templates.end() && found->is_string() ? found->get<std::string>() : "";
  }
  for (const Json& named : templates) {
    if (named.is_object() && named.value("name", Json()) == "default") {
      return default_of(named.value("template", Json()));
    }
  }
  return "";
}

std::optional<ChatTemplate> in_json(const fs::path& file) {
  if (!fs::exists(file)) return std::nullopt;
  const Json json = read_json_file(file);
  const Json templates = json.is_object() ? json.value("chat_template", Json()) : Json();
  if (templates.empty() || templates == "") return std::nullopt;
  return ChatTemplate{file, default_of(templates)};
}

bool has_templates(const fs::path& folder) {
  if (!fs::is_directory(folder)) return false;
  return std::ranges::any_of(fs::directory_iterator(folder),
                             [](const auto& file) { return file.path().extension() == ".jinja"; });
}

}  // namespace

std::optional<ChatTemplate> find_chat_template(const fs::path& folder) {
  const fs::path named = folder / "additional_chat_templates";
  for (const fs::path& file : {named / "default.jinja", folder / "chat_template.jinja"}) {
    if (fs::exists(file)) return ChatTemplate{file, read_file(file, kLargestTemplate)};
  }
  if (has_templates(named)) return ChatTemplate{named, ""};
  if (auto found = in_json(folder / "tokenizer_config.json")) return found;
  return in_json(folder / "chat_template.json");
}

bool is_built_in(const std::string& chat_template, Family family) {
  const std::string hash = hash_bytes(normalized(chat_template));
  return std::ranges::any_of(kPublished, [&](const Published& published) {
    return published.family == family && hash == published.hash;
  });
}

std::string chat_template_warning(const fs::path& folder, Family family) {
  const auto found = find_chat_template(folder);
  if (!found || is_built_in(found->text, family)) return "";
  return fmt::format(
      "{}: this chat template is not one that softcot knows and is not used: prompts have the "
      "built-in format of {}; see them with softcot preview",
      found->file.string(), family_name(family));
}

void warn_of_chat_template(const fs::path& folder, Family family) {
  const std::string warning = chat_template_warning(folder, family);
  if (!warning.empty()) log_warning_once("{}", warning);
}

}  // namespace softcot
