#pragma once

#include <nlohmann/json.hpp>
#include <vector>

namespace softcot {

/// Seconds since this process was started, in steps of the kernel's clock (10 ms).
double process_seconds();

double sum_of(const std::vector<double>& values);
/// {"min", "median", "max"} of at least one value.
nlohmann::ordered_json spread_of(std::vector<double> values);
/// Of at least one value; of two in the middle their mean.
double median_of(std::vector<double> values);

}  // namespace softcot
