#pragma once

#include <map>
#include <string>

namespace softcot {

/// Values of options by their full names, "train.seed".
using Settings = std::map<std::string, std::string>;

}  // namespace softcot
