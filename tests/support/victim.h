#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "support/tiny_model.h"

namespace softcot::test {

/// What a command has made: name of a thing → bytes, without times.
using Outcome = std::map<std::string, std::string>;

/// A command that tests disturb: it works in a folder of its own, and called again after whatever
/// happened to it, it must end with the same outcome as a call that nobody disturbed.
class Victim {
 public:
  enum class Kind { kPrecompute, kTrain, kEvaluate, kSweep };

  /// Of a project whose caches are filled and whose run "trained" is trained.
  Victim(const TinyProject& project, Kind kind) : project_(project), kind_(kind) {}

  static std::string name_of(Kind kind);
  std::string name() const { return name_of(kind_); }
  /// Makes `folder` what it is before the first call.
  void prepare(const std::filesystem::path& folder) const;
  /// The same before the first call as after a fault.
  std::vector<std::string> call(const std::filesystem::path& folder) const;
  /// Of a call that has ended well; what is missing fails the test.
  Outcome outcome(const std::filesystem::path& folder) const;

 private:
  const TinyProject& project_;
  Kind kind_;
};

/// A project with caches and a trained run, made once for all tests of a program.
const TinyProject& trained_project();

/// Hidden files and folders of writers that are gone, relative to `folder`.
std::vector<std::string> leftovers_below(const std::filesystem::path& folder);

}  // namespace softcot::test
