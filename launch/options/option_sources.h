#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "launch/options/option_set.h"

namespace softcot {

/// The assignments of a config file, in order: lines `[section]` and `key = value`, and comments
/// after `#`. Names are "section.key". A line that is neither, or a key given twice, is a problem;
/// so is a file that cannot be read, of which nothing is returned.
std::optional<std::vector<Assignment>> read_config_file(const std::filesystem::path& path,
                                                        std::vector<Problem>& problems);
/// The same of a file that should be sound. Throws OptionErrors for any problem.
std::vector<Assignment> read_config_file(const std::filesystem::path& path);

/// What stands before the first dot of a name and what after it, "train" and "seed"; nothing after
/// it where there is none.
std::pair<std::string, std::string> split_at_dot(const std::string& name);

/// What the reader of a command line must know of an option.
enum class NameKind { kUnknown, kTakesValue, kFlag };

/// What stands on a command line without a name.
struct NamelessArgument {
  std::string name;      ///< What it is assigned to; empty where none is legal.
  bool several = false;  ///< More than one may come.
};

/// The assignments of a command line: `--name value`, `--name=value`, a bare `--flag`, `-h`, and
/// arguments without a name, which are assigned to `argument`; one too many is a problem.
/// `kind_of` is asked for each name; those unknown are returned with an empty value for the caller
/// to report, and what looks like their value is passed over.
std::vector<Assignment> read_command_line(
    const std::vector<std::string>& arguments, const NamelessArgument& argument,
    const std::function<NameKind(const std::string&)>& kind_of, std::vector<Problem>& problems);

}  // namespace softcot
