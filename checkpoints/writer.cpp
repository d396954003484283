#include "checkpoints/writer.h"

#include <string>

#include "checkpoints/layout.h"
#include "runtime/atomic_file.h"
#include "runtime/error.h"
#include "runtime/fault_point.h"
#include "runtime/hash.h"
#include "runtime/json_file.h"
#include "runtime/safetensors_writer.h"
#include "runtime/work_folder.h"

namespace softcot {
namespace {

namespace fs = std::filesystem;

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
  return json_text(json, 2) + "\n";
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
  fs::path target = folder / checkpoint_name(state.step);
  work.publish(target);
  fault_point("checkpoint.renamed");
  fsync_folder(folder);
  fault_point("checkpoint.end");
  return target;
}

}  // namespace softcot
