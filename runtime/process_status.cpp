#include "runtime/process_status.h"

#include <fmt/format.h>
#include <signal.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <system_error>

namespace softcot {
namespace {

/// Of /proc's "stat", what follows the process's name, which may hold spaces: its state first.
std::istringstream fields_of(pid_t process) {
  std::ifstream in(fmt::format("/proc/{}/stat", process));
  const std::string text((std::istreambuf_iterator<char>(in)), {});
  const std::size_t name_end = text.rfind(')');
  return std::istringstream(name_end == std::string::npos ? "" : text.substr(name_end + 1));
}

}  // namespace

bool process_is_alive(pid_t process) {
  if (process <= 0 || (kill(process, 0) != 0 && errno == ESRCH)) return false;
  std::string state;
  fields_of(process) >> state;
  return state != "Z" && state != "X";
}

std::string process_start(pid_t process) {
  constexpr int kStartField = 20;  // Counted from the state.
  std::istringstream fields = fields_of(process);
  std::string field;
  for (int i = 0; i < kStartField; ++i) fields >> field;
  return fields ? field : "";
}

std::string process_space() {
  std::string boot;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> boot;
  std::error_code error;
  const auto names = std::filesystem::read_symlink("/proc/self/ns/pid", error);
  return boot.empty() || error ? "" : boot + "/" + names.string();
}

}  // namespace softcot
