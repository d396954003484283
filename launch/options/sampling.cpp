#include "launch/options/sampling.h"

namespace softcot {

void add_sampling(OptionSet& options, const std::string& prefix, SamplingOptions& sampling) {
  options.add(prefix + "temperature", &sampling.temperature,
              "Sample at this temperature; 0 always takes the likeliest token.", between(0, 100));
  options
      .add(prefix + "top-k", &sampling.top_k,
           "Sample from this many likeliest tokens and those equal to the last of them, 0 for all.",
           at_least(0))
      .unit = "tokens";
  options.add(prefix + "top-p", &sampling.top_p,
              "Sample from the smallest set of tokens with this probability.", above_up_to(0, 1));
  options.add(prefix + "min-p", &sampling.min_p,
              "Sample from tokens of at least this many times the likeliest one's probability, 0 "
              "for all.",
              between(0, 1));
  // Within these bounds no finite logit of a model becomes infinite.
  options.add(prefix + "repetition-penalty", &sampling.repetition_penalty,
              "Divides the positive and multiplies the negative logits of repeated tokens, at "
              "temperature 0 too; 1 for none.",
              between(0.01, 100));
  options.add(prefix + "repetition-scope", &sampling.repetition_scope,
              "What counts as repeated: tokens written before, or all, the prompt's too.",
              Choices<RepetitionScope>{{"written", RepetitionScope::kWritten},
                                       {"all", RepetitionScope::kAll}});
}

}  // namespace softcot
