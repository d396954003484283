#include "support/checkpoints.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "checkpoints/layout.h"
#include "runtime/atomic_file.h"
#include "runtime/hash.h"

namespace softcot::test {

TrainingState sample_state(std::uint64_t step) {
  TrainingState state;
  state.step = step;
  state.epoch = step / 100;
  state.samples_seen = step * 8;
  state.metadata = {{"model", {{"hash", "00ff"}}}, {"config", {{"thoughts", 32}, {"lr", 0.1}}}};
  std::vector<float> values(24);
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(step) + 0.125f * static_cast<float>(i);
  }
  state.tensors.emplace("projection.weight", HostTensor::of_floats({4, 6}, values));
  state.tensors.emplace("projection.weight.exp_avg", HostTensor::of_floats({4, 6}, values));
  state.tensors.emplace("projection.bias",
                        HostTensor{DType::kBF16, {4}, std::vector<std::byte>(8)});
  return state;
}

std::vector<std::uint64_t> steps_in(const std::filesystem::path& folder) {
  std::vector<std::uint64_t> steps;
  for (const CheckpointEntry& entry : list_checkpoints(folder)) steps.push_back(entry.step);
  return steps;
}

std::vector<std::string> names_in(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

void edit_state_json(const std::filesystem::path& checkpoint,
                     const std::function<void(nlohmann::json&)>& edit) {
  nlohmann::json json = nlohmann::json::parse(read_file(checkpoint / kStateJson, 1 << 20));
  edit(json);
  const std::string text = json.dump();
  write_file_atomically(checkpoint / kStateJson, text);
  write_file_atomically(checkpoint / kDoneMark, hash_bytes(text) + "\n");
}

pid_t dead_process() {
  const pid_t child = fork();
  if (child == 0) _exit(0);
  waitpid(child, nullptr, 0);
  return child;
}

}  // namespace softcot::test
