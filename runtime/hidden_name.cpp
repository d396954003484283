#include "runtime/hidden_name.h"

#include <fmt/format.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include "runtime/host_name.h"
#include "runtime/process_status.h"

namespace softcot {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSuffix = ".tmp";
constexpr auto kSilentFor = std::chrono::hours(1);

/// Takes "-NUMBER" off the end of `text`.
std::optional<long> cut_number(std::string_view& text) {
  const std::size_t dash = text.rfind('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const std::string_view digits = text.substr(dash + 1);
  long number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size() || number < 0)
    return std::nullopt;
  text = text.substr(0, dash);
  return number;
}

}  // namespace

fs::path hidden_name(const fs::path& target, unsigned count) {
  return target.parent_path() / fmt::format(".{}.{}-{}-{}{}", target.filename().string(),
                                            host_name(), getpid(), count, kSuffix);
}

HiddenWriter writer_of(const fs::path& path) {
  const std::string file_name = path.filename().string();
  std::string_view name = file_name;
  if (!name.starts_with(".") || !name.ends_with(kSuffix)) return HiddenWriter::kNone;
  name.remove_suffix(kSuffix.size());
  const auto count = cut_number(name);
  const auto process = count ? cut_number(name) : std::nullopt;
  if (!process || *process == 0) return HiddenWriter::kNone;
  if (name.ends_with("." + host_name())) {
    const auto id = static_cast<pid_t>(*process);
    if (id == getpid()) return HiddenWriter::kSelf;
    return process_is_alive(id) ? HiddenWriter::kAlive : HiddenWriter::kGone;
  }
  std::error_code error;
  const auto written = fs::last_write_time(path, error);
  const bool silent = !error && fs::file_time_type::clock::now() - written > kSilentFor;
  return silent ? HiddenWriter::kGone : HiddenWriter::kAlive;
}

void remove_abandoned(const fs::path& folder) noexcept {
  try {
    std::error_code error;
    for (fs::directory_iterator files(folder, error); !error && files != fs::directory_iterator();
         files.increment(error)) {
      if (writer_of(files->path()) != HiddenWriter::kGone) continue;
      std::error_code ignored;
      fs::remove_all(files->path(), ignored);
    }
  } catch (const std::exception&) {
    return;  // No memory for a name: whoever writes next will try again.
  }
}

}  // namespace softcot
