#include "launch/bench/bench_clock.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <numeric>
#include <sstream>
#include <string>

namespace softcot {

double process_seconds() {
  std::ostringstream text;
  text << std::ifstream("/proc/self/stat").rdbuf();
  const std::string line = text.str();
  // The program's name, in brackets, may hold anything.
  std::istringstream fields(line.substr(line.rfind(')') + 1));
  std::string field;
  constexpr int kStartTime = 20;  // The 22nd of the line.
  for (int i = 0; i < kStartTime; ++i) fields >> field;
  timespec now = {};
  clock_gettime(CLOCK_BOOTTIME, &now);
  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec) -
         std::stod(field) / ticks;
}

double sum_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

double median_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

nlohmann::ordered_json spread_of(std::vector<double> values) {
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  return {{"min", *least}, {"median", median_of(values)}, {"max", *most}};
}

}  // namespace softcot
