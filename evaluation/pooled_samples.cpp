#include "evaluation/pooled_samples.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

namespace softcot {

void pool_samples(MethodSamples& all, std::vector<Sample> more) {
  std::int64_t first = 0;
  std::map<std::string, std::size_t> with_nll;
  for (std::size_t i = 0; i < all.samples.size(); ++i) {
    first = std::max(first, all.samples[i].sample_index + 1);
    if (all.samples[i].answer_nll) with_nll.emplace(all.samples[i].question_id, i);
  }
  for (Sample& sample : more) {
    sample.sample_index += first;
    const auto known = with_nll.find(sample.question_id);
    if (known != with_nll.end() && sample.answer_nll) {
      Sample& sum = all.samples[known->second];
      sum.answer_nll = *sum.answer_nll + *sample.answer_nll;
      sum.target_tokens += sample.target_tokens;
      sample.answer_nll.reset();
      sample.target_tokens = 0;
    }
    all.samples.push_back(std::move(sample));
  }
}

}  // namespace softcot
