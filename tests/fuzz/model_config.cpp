// A config.json, and after a NUL byte a generation_config.json.
#include "model/model_config.h"

#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace softcot;
  const auto [config, generation] = fuzz::halves(fuzz::text(data, size));
  fuzz::write("config.json", config);
  if (generation.empty()) {
    std::filesystem::remove(fuzz::folder() / "generation_config.json");
  } else {
    fuzz::write("generation_config.json", generation);
  }
  fuzz::accepts([&] {
    const ModelConfig read = read_model_config(fuzz::folder());
    fuzz::require(read.vocabulary > 0 && read.hidden > 0 && read.feed_forward > 0 &&
                      read.layers > 0 && read.max_positions > 0,
                  "sizes are positive");
    fuzz::require(read.kv_heads > 0 && read.query_heads % read.kv_heads == 0,
                  "KV heads divide the query heads");
    fuzz::require(read.head_width > 0 && read.head_width % 2 == 0, "heads are of even width");
  });
  return 0;
}
