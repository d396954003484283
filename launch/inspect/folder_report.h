#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace softcot {

/// How thoroughly a folder is looked at.
struct InspectDepth {
  bool verify = false;        ///< Read and check every byte.
  bool check_finite = false;  ///< Refuse NaN and infinity in weights.
  bool repair = false;        ///< Remove what is damaged where it can be made again.
};

inline constexpr const char* kRemoved = "removed";

/// What a folder is and what it holds, as rows of a table.
struct FolderReport {
  std::string kind;  ///< "model", "cache", "written thoughts", "checkpoint", "run"; "sweep" or
                     ///< "folder" of such.
  std::vector<std::pair<std::string, std::string>> facts;

  void add(const std::string& name, const std::string& value);
  /// What a repair has removed: the values that were added as kRemoved.
  std::vector<std::string> removed() const;
};

/// One of the kinds.
struct FolderKind {
  const char* plural;
  FolderReport (*report)(const std::filesystem::path& folder, InspectDepth depth);
};

/// Of a folder, by what lies in it; nothing where that is of no kind.
std::optional<FolderKind> kind_of(const std::filesystem::path& folder);

/// The report of a folder of this kind. A repair takes the lock of the work of a compare or sweep
/// that the folder belongs to, and where it removes something, that work is no longer done. Throws
/// as the kind does, and kUsage where the work is under way.
FolderReport report_as(const FolderKind& kind, const std::filesystem::path& folder,
                       InspectDepth depth);

/// Reports on a folder of any kind, or on all of those that lie in it: of a sweep, a comparison, a
/// folder of runs. Throws kUsage for one where there is none, kInput, kCache or kCheckpoint for one
/// that is damaged. With `repair` nothing of a cache, run or folder of written thoughts stays
/// damaged: what is removed is reported, and what the next precompute, train --resume or evaluate
/// makes again. Throws kCache or kUsage where a job is at work in it.
FolderReport report_folder(const std::filesystem::path& folder, InspectDepth depth);

// The kinds, one by one.
FolderReport report_model(const std::filesystem::path& folder, InspectDepth depth);
FolderReport report_cache(const std::filesystem::path& folder, InspectDepth depth);
FolderReport report_checkpoint(const std::filesystem::path& folder, InspectDepth depth);
FolderReport report_written(const std::filesystem::path& folder, InspectDepth depth);
FolderReport report_run(const std::filesystem::path& folder, InspectDepth depth);
/// All folders of these kinds below this one; goes on where one is damaged and names each.
FolderReport report_collection(const std::filesystem::path& folder, InspectDepth depth);

/// "134.5 M", "1.2 G": numbers as people say them.
std::string short_number(double value);

}  // namespace softcot
