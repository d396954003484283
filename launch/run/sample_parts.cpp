#include "launch/run/sample_parts.h"

#include <fmt/format.h>

#include <vector>

namespace softcot {

std::filesystem::path SampleParts::part(int replica) const {
  return folder / fmt::format("{}.part-{}.jsonl", method, replica);
}

void SampleParts::merge() const {
  const std::string prefix = method + ".part-";
  std::vector<std::filesystem::path> parts;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().filename().string().starts_with(prefix)) parts.push_back(entry.path());
  }
  SampleLog log(whole(), key);
  for (const auto& path : parts) {
    { const SampleLog same_key(path, key); }
    for (const Sample& sample : read_samples(path)) {
      if (!log.contains(sample.question_id, sample.sample_index)) log.append(sample);
    }
  }
  log.flush();
  for (const auto& path : parts) std::filesystem::remove(path);
}

std::set<SampleKey> SampleParts::completed() const {
  std::set<SampleKey> keys;
  if (!std::filesystem::exists(whole())) return keys;
  for (const Sample& sample : read_samples(whole())) {
    keys.insert({sample.question_id, sample.sample_index});
  }
  return keys;
}

}  // namespace softcot
