#pragma once

#include <string>

#include "launch/options/option_set.h"

namespace softcot {

/// The page that `softcot COMMAND --help` prints, at most 100 columns wide: usage, the options in
/// use with meaning, unit, default and legal values, sources and precedence, examples.
std::string help_page(const OptionSet& options);

}  // namespace softcot
