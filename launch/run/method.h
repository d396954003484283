#pragma once

#include <map>
#include <string>
#include <vector>

namespace softcot {

/// One way to have a question answered: what stands in the backbone's prompt and what was trained.
/// docs/methods.md says how to add one.
struct Method {
  const char* name;         ///< The value of train.method and evaluate.methods; sample file's name.
  const char* title;        ///< What people read.
  const char* description;  ///< One line for the help.
  bool placeholders;        ///< N placeholders stand in the backbone's prompt.
  bool projection;          ///< They get the assistant's projected thoughts.
  bool task_vectors;        ///< They get vectors of the task, or these are added.
  bool lora;                ///< The backbone's matrices are changed.
  bool full = false;        ///< All of the backbone's weights are trained.
  bool coconut = false;     ///< Latents of its own stand in its turn, by a curriculum.
  bool written = false;     ///< What the assistant wrote stands in the prompt, as text.
  /// Defaults of its own for options of `train`, by full name.
  std::map<std::string, std::string> defaults = {};

  bool trained() const { return projection || task_vectors || lora || full; }
};

/// All methods, in the order in which tables show them.
const std::vector<Method>& methods();
/// Throws kUsage naming the nearest method.
const Method& method_of(const std::string& name);
/// Names of all methods, or of those that are trained.
std::vector<std::string> method_names(bool trained_only);

}  // namespace softcot
