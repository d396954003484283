#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace softcot {

/// A program that runs beside this one, its standard output and error appended to a log. If this
/// process is killed, it gets SIGTERM. Local; all calls from the thread that made it.
class ChildCommand {
 public:
  /// Starts it, with `environment` over this process's own. `keep`, if it is a descriptor, stays
  /// open in it: a lock that is to live as long. Throws kResources if no process can be made.
  ChildCommand(const std::vector<std::string>& words, const std::filesystem::path& log,
               const std::map<std::string, std::string>& environment = {}, int keep = -1);

  /// Its exit status, 128 + N if signal N ended it; nothing while it runs. Throws kResources if the
  /// program could not be started.
  std::optional<int> status();
  /// Sends SIGUSR1, at the first call: a training then saves a checkpoint and ends.
  void ask_to_stop();

 private:
  std::string program_;
  pid_t process_ = -1;
  std::optional<int> status_;
  bool asked_ = false;
};

/// The path of the running program.
std::filesystem::path own_program();

}  // namespace softcot
