#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace softcot {

/// A collective as one rank has called it.
struct FlightEntry {
  std::string group = {};      ///< "tp", "dp", "world".
  std::uint64_t sequence = 0;  ///< From 1 in each group; 0 is the group's making.
  std::string name = {};       ///< "all_reduce"
  std::uint64_t bytes = 0;     ///< Of this rank's tensor.
  std::string dtype = {};      ///< "Float", "BFloat16"; empty where there is no tensor.
  double started = 0;          ///< Seconds since 1970.
  double ended = 0;            ///< Likewise; 0 while it goes on.

  bool same_call(const FlightEntry& other) const {
    return name == other.name && bytes == other.bytes && dtype == other.dtype;
  }
};

/// The last collectives of this rank, in memory and, for the other ranks to read when one does not
/// come, in FOLDER/rank-NNNNN.json (docs/file-formats.md). Safe from any thread.
class FlightRecord {
 public:
  static constexpr std::size_t kKept = 64;

  /// Without a folder nothing is written. Makes the folder, and writes this rank's file anew.
  /// Throws kUsage or kResources where that cannot be done.
  FlightRecord(std::filesystem::path folder, int rank);

  /// World ranks of a group of which this rank is one, its own among them.
  void join(const std::string& group, const std::vector<int>& ranks);

  void start(const FlightEntry& entry);
  /// The collective of that number has ended; no error when it is older than what is kept.
  void end(const std::string& group, std::uint64_t sequence);

  /// Puts the present state into the file, if it is news or a collective is under way: then the
  /// time of writing tells that this rank lives. A file that cannot be written any more is left: it
  /// must not end a run that has nothing else to complain of. For one thread; others may start and
  /// end collectives, and read, meanwhile.
  void write() noexcept;

  const std::filesystem::path& folder() const { return folder_; }

  /// What one rank has last called in `group`, and when it wrote that.
  struct Position {
    FlightEntry entry;
    double written = 0;
  };
  /// Out of another rank's file; nothing when it cannot be read or knows no such group.
  static std::optional<Position> read(const std::filesystem::path& folder, int rank,
                                      const std::string& group);

  /// A collective that another rank waits in at present, with the world ranks of its group.
  struct Wait {
    Position position;
    std::vector<int> ranks;
  };
  /// Likewise out of its file; nothing when it waits in none but `except`.
  static std::optional<Wait> read_wait(const std::filesystem::path& folder, int rank,
                                       const std::string& except);

 private:
  std::string text() const;  // Under the lock.

  std::filesystem::path folder_;
  int rank_;
  std::mutex mutex_;
  std::map<std::string, FlightEntry> last_;         // Of each group.
  std::map<std::string, std::vector<int>> groups_;  // World ranks.
  std::deque<FlightEntry> entries_;
  bool changed_ = false;  // Since the last writing.
};

/// What became of a collective that has not ended in time, told from the records of its ranks.
struct MissingRanks {
  std::uint64_t sequence =
      0;  ///< The collective that holds up the group: the first unfinished one.
  std::string name;
  std::string missing;  ///< "rank 1 (at number 16)", …; empty when all ranks have called it.
};

/// `mine` is the unfinished call of `rank`; `ranks` are all of its group. Records that a rank has
/// not renewed for `silence` seconds are taken for those of a rank that is gone or stopped. Of a
/// missing rank that waits in another group itself it is told, unless not to `follow`, in which
/// call and for whom: of the ranks of a dp × tp mesh each waits for the one that stopped over one
/// other rank at most.
MissingRanks find_missing(const std::filesystem::path& folder, const FlightEntry& mine, int rank,
                          const std::vector<int>& ranks, double silence, bool follow = true);

}  // namespace softcot
