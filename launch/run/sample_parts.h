#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "evaluation/sample_log.h"

namespace softcot {

/// One method's sample file and the parts that replicas write beside it: METHOD.jsonl and
/// METHOD.part-K.jsonl. A killed evaluation leaves parts; the next one takes them over, with any
/// number of ranks.
struct SampleParts {
  std::filesystem::path folder;  ///< samples/ of a run folder.
  std::string method;
  std::string key;  ///< SampleLog's.

  std::filesystem::path whole() const { return folder / (method + ".jsonl"); }
  std::filesystem::path part(int replica) const;
  /// Those that are there.
  std::vector<std::filesystem::path> parts() const;

  /// Adds the samples of these files, of the same key, that the whole file lacks, and returns their
  /// number. As merge.
  std::size_t add(const std::vector<std::filesystem::path>& files) const;
  /// Adds the samples of all parts to the whole file and removes the parts. Local, for one rank
  /// while no other writes. Throws as SampleLog.
  void merge() const;
  /// The whole file and parts that were begun under another key. Local.
  std::vector<std::filesystem::path> of_other_keys() const;
  /// The samples of the whole file; none where it is missing. Local.
  std::set<SampleKey> completed() const;
};

}  // namespace softcot
