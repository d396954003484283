#include "launch/trained_model.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstring>

#include "checkpoints/layout.h"
#include "checkpoints/reader.h"
#include "launch/run_folder.h"
#include "runtime/error.h"

namespace softcot {
namespace {

const char* schedule_name(Schedule schedule) {
  switch (schedule) {
    case Schedule::kLinear:
      return "linear";
    case Schedule::kCosine:
      return "cosine";
    case Schedule::kConstant:
      return "constant";
  }
  fail(ExitCode::kInternal, {.what = "unknown schedule"});
}

at::Tensor tensor_of(const LoadedCheckpoint& checkpoint, const std::string& name) {
  const auto found = checkpoint.state.tensors.find(name);
  if (found == checkpoint.state.tensors.end() || found->second.dtype != DType::kF32) {
    fail(ExitCode::kCheckpoint, {.what = "checkpoint holds no projection",
                                 .where = checkpoint.path.string(),
                                 .expected = "float32 tensor " + name});
  }
  const auto& host = found->second;
  const std::vector<std::int64_t> shape(host.shape.begin(), host.shape.end());
  auto tensor = at::empty(shape, at::kFloat);
  std::memcpy(tensor.mutable_data_ptr(), host.bytes.data(), host.bytes.size());
  return tensor;
}

}  // namespace

nlohmann::json run_identity(const RunOptions& run, const ThoughtCacheKey& key,
                            const PromptTemplate& prompt, const std::string& backbone_hash) {
  nlohmann::json thoughts;
  for (const auto& [name, value] : to_attributes(key)) {
    std::visit([&, field = name](const auto& v) { thoughts[field] = v; }, value);
  }
  const auto& train = run.train;
  return {{"method", "softcot"},
          {"backbone", {{"hash", backbone_hash}, {"dtype", toString(run.model.load.dtype)}}},
          {"prompt_hash", prompt.content_hash()},
          {"max_length", run.data.max_length},
          {"thoughts", thoughts},
          {"train",
           {{"steps", train.steps},
            {"epochs", train.steps > 0 ? 0.0 : train.epochs},
            {"batch", train.batch},
            {"learning_rate", train.optimizer.learning_rate},
            {"weight_decay", train.optimizer.weight_decay},
            {"clip", train.optimizer.clip},
            {"schedule", schedule_name(train.schedule.kind)},
            {"warmup_steps", train.schedule.warmup_steps},
            {"seed", train.seed}}}};
}

std::vector<std::int64_t> shared_prefix(const std::vector<Row>& rows) {
  const std::int64_t length = longest_common_prefix(rows);
  if (length == 0) return {};
  return {rows[0].ids.begin(), rows[0].ids.begin() + length};
}

std::vector<std::string> parameter_shapes(const TrainedParts& parts) {
  std::vector<std::string> shapes;
  for (const auto& parameter : parts.parameters()) {
    shapes.push_back(
        fmt::format("{} [{}]", parameter.name, fmt::join(parameter.value.sizes(), ", ")));
  }
  return shapes;
}

TrainedProjection load_projection(const std::filesystem::path& run_or_checkpoint) {
  const bool is_checkpoint = std::filesystem::exists(run_or_checkpoint / kDoneMark);
  auto loaded = is_checkpoint ? read_checkpoint(run_or_checkpoint)
                              : read_latest_checkpoint(RunPaths{run_or_checkpoint}.checkpoints());
  Projection projection(tensor_of(loaded, "projection.weight"),
                        tensor_of(loaded, "projection.bias"));
  return {std::move(projection), loaded.path, loaded.state.metadata};
}

void require_trained_with(const TrainedProjection& trained, const std::string& what,
                          const std::string& now, const std::string& then) {
  if (now == then) return;
  fail(ExitCode::kCheckpoint,
       {.what = fmt::format("projection was trained with another {}", what),
        .where = trained.checkpoint.string(),
        .expected = then,
        .got = now,
        .fix = "use it with what it was trained with (--config of its run)"});
}

}  // namespace softcot
