// A checkpoint's state.json and, after a NUL byte, its state.safetensors. `@bytes` and `@hash` in
// the JSON stand for the tensors' true size and hash, and DONE is always right: what is behind the
// hashes is reached.
#include "checkpoints/reader.h"

#include "checkpoints/layout.h"
#include "fuzz/fuzz.h"
#include "runtime/hash.h"

namespace {

void replace(std::string& text, std::string_view mark, const std::string& value) {
  if (const std::size_t at = text.find(mark); at != std::string::npos) {
    text.replace(at, mark.size(), value);
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace softcot;
  const auto [json, tensors] = fuzz::halves(fuzz::text(data, size));
  std::string state(json);
  replace(state, "@bytes", std::to_string(tensors.size()));
  replace(state, "@hash", hash_bytes(tensors));
  const std::filesystem::path name = checkpoint_name(7);
  std::filesystem::create_directories(fuzz::folder() / name);
  fuzz::write(name / kStateTensors, tensors);
  fuzz::write(name / kStateJson, state);
  fuzz::write(name / kDoneMark, hash_bytes(state) + "\n");
  fuzz::accepts([&] {
    const LoadedCheckpoint loaded = read_checkpoint(fuzz::folder() / name);
    fuzz::require(loaded.state.step == 7, "a checkpoint is of the step in its name");
    for (const auto& [tensor, value] : loaded.state.tensors) {
      std::uint64_t bytes = 0;
      fuzz::require(tensor_bytes(value.dtype, value.shape, bytes) && value.bytes.size() == bytes,
                    "tensors are whole");
    }
  });
  return 0;
}
