#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "data/special_tokens.h"

namespace softcot {

/// A chat template in a model folder.
struct ChatTemplate {
  std::filesystem::path file;
  std::string text;  ///< Jinja; empty where all templates have names and none is the default.
};

/// The template that Transformers would use without tools: chat_template.jinja with
/// additional_chat_templates/*.jinja, else "chat_template" in tokenizer_config.json (a text, or
/// texts by name), else in chat_template.json. Nothing for a folder without one. Throws kInput for
/// a JSON file that cannot be read.
std::optional<ChatTemplate> find_chat_template(const std::filesystem::path& folder);

/// Whether render_chat writes what this template does: whether it is the published one of the
/// family, but for line ends. Templates are compared by hash, not rendered.
bool is_built_in(const std::string& chat_template, Family family);

/// What a user must know of a folder whose template is not the built-in format: the file, the
/// format that is used instead, and how to see it. Empty if there is nothing to say. Throws as
/// find_chat_template does.
std::string chat_template_warning(const std::filesystem::path& folder, Family family);

/// Logs that warning, if there is one, once and on rank 0.
void warn_of_chat_template(const std::filesystem::path& folder, Family family);

}  // namespace softcot
