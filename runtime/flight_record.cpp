#include "runtime/flight_record.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>

#include "runtime/atomic_file.h"
#include "runtime/error.h"
#include "runtime/host_name.h"

namespace softcot {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(FlightEntry, group, sequence, name, bytes, dtype, started, ended)

namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::filesystem::path file_of(const std::filesystem::path& folder, int rank) {
  return folder / fmt::format("rank-{:05}.json", rank);
}

/// Discarded where the file cannot be read.
nlohmann::json parse(const std::filesystem::path& path) {
  std::ifstream file(path);
  return nlohmann::json::parse(file, nullptr, /*allow_exceptions=*/false);
}

std::string clock_time(double seconds) {
  constexpr double kYear9999 = 253402300799;
  const double sane = std::clamp(seconds, 0.0, kYear9999);
  return fmt::format("{:%H:%M:%S}", fmt::localtime(static_cast<std::time_t>(sane)));
}

}  // namespace

FlightRecord::FlightRecord(std::filesystem::path folder, int rank)
    : folder_(std::move(folder)), rank_(rank) {
  if (folder_.empty()) return;
  make_folder(folder_);
  write_file_atomically(file_of(folder_, rank_), text());
}

void FlightRecord::join(const std::string& group, const std::vector<int>& ranks) {
  const std::lock_guard lock(mutex_);
  changed_ = true;
  groups_[group] = ranks;
}

void FlightRecord::start(const FlightEntry& entry) {
  const std::lock_guard lock(mutex_);
  changed_ = true;
  FlightEntry stamped = entry;
  stamped.started = now();
  last_[entry.group] = stamped;
  entries_.push_back(stamped);
  if (entries_.size() > kKept) entries_.pop_front();
}

void FlightRecord::end(const std::string& group, std::uint64_t sequence) {
  const std::lock_guard lock(mutex_);
  changed_ = true;
  const double time = now();
  if (auto& last = last_[group]; last.sequence == sequence) last.ended = time;
  for (auto& entry : entries_) {
    if (entry.group == group && entry.sequence == sequence) entry.ended = time;
  }
}

std::string FlightRecord::text() const {
  const nlohmann::json all = {{"version", 1},        {"rank", rank_},      {"host", host_name()},
                              {"process", getpid()}, {"written", now()},   {"groups", groups_},
                              {"last", last_},       {"entries", entries_}};
  return all.dump() + "\n";
}

void FlightRecord::write() noexcept {
  if (folder_.empty()) return;
  try {
    std::string news;
    {
      const std::lock_guard lock(mutex_);
      const bool under_way = std::any_of(last_.begin(), last_.end(),
                                         [](const auto& each) { return each.second.ended == 0; });
      if (!changed_ && !under_way) return;
      changed_ = false;
      news = text();
    }
    // Renamed, so that nobody reads half of it, but not synced: it is of use to the living alone.
    const auto file = file_of(folder_, rank_);
    auto hidden = file;
    hidden += ".new";
    std::ofstream(hidden, std::ios::trunc) << news;
    std::filesystem::rename(hidden, file);
  } catch (const std::exception&) {
    return;
  }
}

std::optional<FlightRecord::Position> FlightRecord::read(const std::filesystem::path& folder,
                                                         int rank, const std::string& group) {
  const auto all = parse(file_of(folder, rank));
  try {
    return Position{all.at("last").at(group).get<FlightEntry>(), all.at("written").get<double>()};
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;
  }
}

std::optional<FlightRecord::Wait> FlightRecord::read_wait(const std::filesystem::path& folder,
                                                          int rank, const std::string& except) {
  const auto all = parse(file_of(folder, rank));
  try {
    for (const auto& [group, last] : all.at("last").items()) {
      const auto entry = last.get<FlightEntry>();
      if (group == except || entry.ended != 0) continue;
      return Wait{{entry, all.at("written").get<double>()},
                  all.at("groups").at(group).get<std::vector<int>>()};
    }
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;
  }
  return std::nullopt;
}

namespace {

/// Whether a rank that is alive is in that call still.
bool waits(const FlightRecord::Position& position, double silence) {
  return position.entry.ended == 0 && position.written > now() - silence;
}

using Positions = std::vector<std::optional<FlightRecord::Position>>;

/// Who waits in an earlier call than we do was not joined by us or by whoever else has gone on.
FlightEntry first_held(const FlightEntry& mine, const Positions& positions, double silence) {
  FlightEntry held = mine;
  for (const auto& position : positions) {
    if (position && waits(*position, silence) && position->entry.sequence < held.sequence) {
      held = position->entry;
    }
  }
  return held;
}

/// Why a rank at `position` is not in the call `held`; empty when it is.
std::string state_of(const std::optional<FlightRecord::Position>& position, const FlightEntry& held,
                     double silence) {
  if (!position) return "no record of it";
  const auto& [entry, written] = *position;
  const bool here = entry.sequence == held.sequence;
  if (entry.sequence > held.sequence || (here && entry.ended != 0)) {
    return fmt::format("past it, at number {}", entry.sequence);
  }
  if (entry.ended == 0 && !waits(*position, silence)) {
    return fmt::format("silent since {}, at number {}", clock_time(written), entry.sequence);
  }
  if (!here) return fmt::format("at number {}", entry.sequence);
  if (entry.same_call(held)) return "";
  return fmt::format("called {} of {} bytes {}", entry.name, entry.bytes, entry.dtype);
}

/// In which other group `rank` waits, if it lives, and for whom.
std::string waits_elsewhere(const std::filesystem::path& folder, int rank, const std::string& group,
                            double silence) {
  const auto wait = FlightRecord::read_wait(folder, rank, group);
  if (!wait || !waits(wait->position, silence)) return "";
  const FlightEntry& call = wait->position.entry;
  const MissingRanks found =
      find_missing(folder, call, rank, wait->ranks, silence, /*follow=*/false);
  return fmt::format("; it waits in {} number {} of group {}{}{}", found.name, found.sequence,
                     call.group, found.missing.empty() ? "" : ", missing: ", found.missing);
}

}  // namespace

MissingRanks find_missing(const std::filesystem::path& folder, const FlightEntry& mine, int rank,
                          const std::vector<int>& ranks, double silence, bool follow) {
  Positions positions;
  for (const int other : ranks) {
    positions.push_back(other == rank ? FlightRecord::Position{mine, now()}
                                      : FlightRecord::read(folder, other, mine.group));
  }
  const FlightEntry held = first_held(mine, positions, silence);
  MissingRanks found{held.sequence, held.name, ""};
  constexpr int kShown = 8;
  int count = 0;
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    std::string state = state_of(positions[i], held, silence);
    if (state.empty() || count++ >= kShown) continue;
    if (follow) state += waits_elsewhere(folder, ranks[i], mine.group, silence);
    found.missing +=
        fmt::format("{}rank {} ({})", found.missing.empty() ? "" : ", ", ranks[i], state);
  }
  if (count > kShown) found.missing += fmt::format(" and {} more", count - kShown);
  return found;
}

}  // namespace softcot
