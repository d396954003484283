// A thought cache's manifest up to its hash, which is always right: what is behind it is reached.
#include "data/thought_cache_manifest.h"

#include "fuzz/fuzz.h"
#include "runtime/hash.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace softcot;
  const std::string body(fuzz::text(data, size));
  fuzz::write(kManifestName, body + ",\n  \"xxh3_128\": \"" + hash_bytes(body) + "\"\n}\n");
  fuzz::accepts([&] {
    const auto manifest = read_manifest(fuzz::folder());
    fuzz::require(manifest.has_value(), "the manifest is there");
    const ThoughtCacheLayout& layout = manifest->layout;
    std::int64_t rows = 0;
    for (std::int64_t block = 0; block < layout.block_count(); ++block) {
      fuzz::require(layout.first_row(block) == rows && layout.rows_in(block) > 0,
                    "blocks follow each other");
      rows += layout.rows_in(block);
    }
    fuzz::require(rows == layout.key.rows, "blocks hold all rows");
  });
  return 0;
}
