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

std::string clock_time(double seconds) {
  return fmt::format("{:%H:%M:%S}", fmt::localtime(static_cast<std::time_t>(seconds)));
}

}  // namespace

FlightRecord::FlightRecord(std::filesystem::path folder, int rank)
    : folder_(std::move(folder)), rank_(rank) {
  if (folder_.empty()) return;
  make_folder(folder_);
  write_file_atomically(file_of(folder_, rank_), text());
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
  const nlohmann::json all = {{"version", 1},        {"rank", rank_},    {"host", host_name()},
                              {"process", getpid()}, {"written", now()}, {"last", last_},
                              {"entries", entries_}};
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
  std::ifstream file(file_of(folder, rank));
  const auto all = nlohmann::json::parse(file, nullptr, /*allow_exceptions=*/false);
  try {
    return Position{all.at("last").at(group).get<FlightEntry>(), all.at("written").get<double>()};
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;
  }
}

MissingRanks find_missing(const std::filesystem::path& folder, const FlightEntry& mine, int rank,
                          const std::vector<int>& ranks, double silence) {
  MissingRanks found{mine.sequence, mine.name, ""};
  const double time = now();
  std::vector<std::optional<FlightRecord::Position>> positions;
  for (const int other : ranks) {
    positions.push_back(other == rank ? FlightRecord::Position{mine, time}
                                      : FlightRecord::read(folder, other, mine.group));
  }
  const auto waits = [&](const FlightRecord::Position& position) {
    return position.entry.ended == 0 && position.written > time - silence;
  };
  // Who waits in an earlier call than we do was not joined by us or by whoever else has gone on.
  FlightEntry held = mine;
  for (const auto& position : positions) {
    if (position && waits(*position) && position->entry.sequence < held.sequence) {
      held = position->entry;
    }
  }
  found.sequence = held.sequence;
  found.name = held.name;

  constexpr int kShown = 8;
  int count = 0;
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    std::string state;
    if (!positions[i]) {
      state = "no record of it";
    } else {
      const auto& [entry, written] = *positions[i];
      const bool here = entry.sequence == held.sequence;
      if (entry.sequence > held.sequence || (here && entry.ended != 0)) {
        state = fmt::format("past it, at number {}", entry.sequence);
      } else if (entry.ended == 0 && !waits(*positions[i])) {
        state = fmt::format("silent since {}, at number {}", clock_time(written), entry.sequence);
      } else if (!here) {
        state = fmt::format("at number {}", entry.sequence);
      } else if (!entry.same_call(held)) {
        state = fmt::format("called {} of {} bytes {}", entry.name, entry.bytes, entry.dtype);
      } else {
        continue;
      }
    }
    if (count++ < kShown) {
      found.missing +=
          fmt::format("{}rank {} ({})", found.missing.empty() ? "" : ", ", ranks[i], state);
    }
  }
  if (count > kShown) found.missing += fmt::format(" and {} more", count - kShown);
  return found;
}

}  // namespace softcot
