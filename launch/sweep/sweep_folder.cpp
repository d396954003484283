#include "launch/sweep/sweep_folder.h"

#include <fmt/format.h>

#include "launch/sweep/sweep_record.h"
#include "runtime/atomic_file.h"
#include "runtime/error.h"
#include "runtime/json_file.h"
#include "runtime/sealed_json.h"

namespace softcot {
namespace {

constexpr const char* kLock = "sweep.lock";
/// Held while sweep.json is looked at and written, by one of those who share the sweep.
constexpr const char* kRecordLock = ".sweep.json.lock";

}  // namespace

SweepFolder::SweepFolder(const Sweep& sweep, const SweepPlan& plan,
                         const std::filesystem::path& out, bool shared)
    : sweep_(sweep), plan_(plan), out_(out) {
  make_folder(out_);
  const auto path = out_ / kLock;
  const FileLock record = FileLock::take(out_ / kRecordLock);
  lock_ = FileLock::try_take(path);
  const bool alone = lock_.has_value();
  const std::string holder = alone ? "" : FileLock::holder(path);
  if (!alone && shared) lock_ = FileLock::try_take(path, FileLock::Kind::kShared);
  if (!lock_ || (!alone && !is_same_sweep())) {
    fail(ExitCode::kUsage, {.what = "sweep folder is in use",
                            .where = out_.string(),
                            .got = holder,
                            .fix = "wait for that sweep, or give --out another name"});
  }
  require_version();
  write();
  if (alone && shared) lock_->share();
}

void SweepFolder::require_version() const {
  const auto file = out_ / "sweep.json";
  if (!std::filesystem::exists(file)) return;
  const auto json = read_json_file(file, {.code = ExitCode::kUsage});
  const auto schema = require<std::string>(json, "schema", file.string(), ExitCode::kUsage);
  const auto version = require<std::string>(json, "version", file.string(), ExitCode::kUsage);
  if (schema == kSweepSchema && version == SOFTCOT_VERSION) return;
  fail(ExitCode::kUsage,
       {.what = "sweep folder of another version",
        .where = file.string(),
        .expected = fmt::format("{} of softcot {}", kSweepSchema, SOFTCOT_VERSION),
        .got = fmt::format("{} of softcot {}", schema, version),
        .fix = "give --out another name, or go on with that version"});
}

bool SweepFolder::is_same_sweep() const {
  const auto json = read_json_file(out_ / "sweep.json");
  return require<std::string>(json, "sweep_hash", (out_ / "sweep.json").string()) == sweep_.hash();
}

void SweepFolder::save() const {
  const FileLock record = FileLock::take(out_ / kRecordLock);
  write();
}

void SweepFolder::write() const {
  write_file_atomically(out_ / "sweep.json",
                        seal_json(sweep_json(sweep_, plan_, out_).dump(2)) + "\n");
  write_file_atomically(out_ / "cells.csv", sweep_csv(sweep_, plan_, out_));
}

}  // namespace softcot
