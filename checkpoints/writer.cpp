#include "checkpoints/writer.h"

#include <fcntl.h>
#include <stdio.h>

#include <cerrno>
#include <string>
#include <system_error>

#include "checkpoints/layout.h"
#include "runtime/atomic_file.h"
#include "runtime/error.h"
#include "runtime/fault_point.h"
#include "runtime/hash.h"
#include "runtime/safetensors_writer.h"

namespace softcot {
namespace {

namespace fs = std::filesystem;

/// The folder under construction; goes with its contents unless it was given its name.
class WorkFolder {
 public:
  explicit WorkFolder(fs::path path) : path_(std::move(path)) {
    remove();  // what a write of this process that failed may have left
    make_folder(path_);
  }
  ~WorkFolder() { remove(); }
  WorkFolder(const WorkFolder&) = delete;
  WorkFolder& operator=(const WorkFolder&) = delete;

  fs::path file(std::string_view name) const { return path_ / name; }
  const fs::path& path() const { return path_; }

 private:
  void remove() noexcept {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  fs::path path_;
};

nlohmann::json described(const fs::path& file) {
  return {{"bytes", fs::file_size(file)}, {"xxh3", hash_file(file)}};
}

void write_tensors(const fs::path& path, const TrainingState& state) {
  TensorViews views;
  for (const auto& [name, tensor] : state.tensors) views.emplace(name, tensor.view());
  write_safetensors(path, views, {{"format", "pt"}});
}

std::string state_json(const WorkFolder& work, const TrainingState& state) {
  const nlohmann::json json{
      {"schema", kCheckpointSchema},
      {"version", kCheckpointVersion},
      {"step", state.step},
      {"epoch", state.epoch},
      {"samples_seen", state.samples_seen},
      {"metadata", state.metadata},
      {"files", {{kStateTensors, described(work.file(kStateTensors))}}},
  };
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

/// Gives the finished folder its name. When another stands there the two change places, so that at
/// no moment the step is without a whole checkpoint; the old one then goes with the work folder.
void publish(const fs::path& work, const fs::path& target) {
  if (rename(work.c_str(), target.c_str()) == 0) return;
  if (errno != ENOTEMPTY && errno != EEXIST) fail_write(errno, target);
  if (renameat2(AT_FDCWD, work.c_str(), AT_FDCWD, target.c_str(), RENAME_EXCHANGE) == 0) return;
  // A file system that cannot exchange: the old one has to go first.
  std::error_code error;
  fs::remove_all(target, error);
  if (error) fail_write(error.value(), target);
  if (rename(work.c_str(), target.c_str()) != 0) fail_write(errno, target);
}

}  // namespace

fs::path write_checkpoint(const fs::path& folder, const TrainingState& state) {
  if (!state.metadata.is_object()) {
    fail(ExitCode::kInternal, {.what = "a checkpoint's metadata is not an object"});
  }
  make_folder(folder);
  fault_point("checkpoint.start");
  const WorkFolder work(work_path(folder, state.step));
  fault_point("checkpoint.folder-made");
  write_tensors(work.file(kStateTensors), state);
  fault_point("checkpoint.tensors-written");
  const std::string json = state_json(work, state);
  write_file_atomically(work.file(kStateJson), json);
  fault_point("checkpoint.json-written");
  write_file_atomically(work.file(kDoneMark), hash_bytes(json) + "\n");
  fault_point("checkpoint.done-written");
  const fs::path target = folder / checkpoint_name(state.step);
  publish(work.path(), target);
  fault_point("checkpoint.renamed");
  fsync_folder(folder);
  fault_point("checkpoint.end");
  return target;
}

}  // namespace softcot
