#pragma once

#include <string>

#include "evaluation/sampling_options.h"
#include "launch/options/option_set.h"

namespace softcot {

/// Adds how a token is chosen: temperature, top-k, top-p, min-p, repetition-penalty and
/// repetition-scope, each behind `prefix` ("evaluate.", "bench.", or none). `sampling` must outlive
/// `options`.
void add_sampling(OptionSet& options, const std::string& prefix, SamplingOptions& sampling);

}  // namespace softcot
