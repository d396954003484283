#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "evaluation/sampling_options.h"

namespace softcot {

/// What `folder`/generation_config.json asks for that changes which tokens Transformers writes and
/// that `sampling` does not apply, in one line: each field, its value and what applies instead, and
/// the options that would apply it, with `prefix` before their names, if there is one. Empty when
/// nothing differs or there is no such file. Throws kInput for a file that is no JSON. Pure.
std::string unapplied_generation_config(const std::filesystem::path& folder,
                                        const SamplingOptions& sampling,
                                        const std::optional<std::string>& prefix);

/// Logs that line as a warning, unless it is empty. For one rank. Local.
void warn_of_generation_config(const std::filesystem::path& folder, const SamplingOptions& sampling,
                               const std::optional<std::string>& prefix);

}  // namespace softcot
