#pragma once

#include <map>
#include <string>
#include <vector>

namespace softcot::test {

struct ChildResult {
  int status = -1;  ///< Exit status, or 128 + the signal that ended it.
  std::string out;
  std::string err;
};

/// Runs a program to its end with `input` on its standard input and `environment` added to this
/// process's own. `arguments[0]` is looked up on PATH unless it holds a slash.
ChildResult run_child(const std::vector<std::string>& arguments, const std::string& input = "",
                      const std::map<std::string, std::string>& environment = {});

/// What goes before a program to run it as `ranks` ranks of this machine: "mpirun -n 2 …".
std::vector<std::string> under_mpirun(int ranks, std::vector<std::string> arguments);

}  // namespace softcot::test
