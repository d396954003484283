#include "launch/run/sample_parts.h"

#include <fmt/format.h>

namespace softcot {

std::filesystem::path SampleParts::part(int replica) const {
  return folder / fmt::format("{}.part-{}.jsonl", method, replica);
}

std::vector<std::filesystem::path> SampleParts::parts() const {
  const std::string prefix = method + ".part-";
  std::vector<std::filesystem::path> found;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().filename().string().starts_with(prefix)) found.push_back(entry.path());
  }
  return found;
}

std::vector<std::filesystem::path> SampleParts::of_other_keys() const {
  std::vector<std::filesystem::path> files = parts();
  if (std::filesystem::exists(whole())) files.push_back(whole());
  std::erase_if(files, [&](const std::filesystem::path& file) {
    const std::string begun_under = read_sample_key(file);
    return begun_under.empty() || begun_under == key;
  });
  return files;
}

std::size_t SampleParts::add(const std::vector<std::filesystem::path>& files) const {
  SampleLog log(whole(), key);
  std::size_t added = 0;
  for (const auto& path : files) {
    { const SampleLog same_key(path, key); }
    for (const Sample& sample : read_samples(path)) {
      if (log.contains(sample.question_id, sample.sample_index)) continue;
      log.append(sample);
      ++added;
    }
  }
  log.flush();
  return added;
}

void SampleParts::merge() const {
  const auto all = parts();
  add(all);
  for (const auto& path : all) std::filesystem::remove(path);
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
