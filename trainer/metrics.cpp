#include "trainer/metrics.h"

#include <sys/resource.h>

#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>

#include "runtime/append_file.h"
#include "runtime/atomic_file.h"
#include "runtime/json_file.h"
#include "runtime/log.h"
#include "runtime/sealed_json.h"

namespace softcot {
namespace {

double total_seconds(const StepMetrics& metrics) {
  const auto& r = metrics.result;
  return metrics.data_seconds + r.forward_seconds + r.backward_seconds + r.reduce_seconds +
         r.update_seconds;
}

}  // namespace

double StepMetrics::tokens_per_second() const {
  return static_cast<double>(result.tokens) / total_seconds(*this);
}

std::int64_t peak_memory_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::int64_t>(usage.ru_maxrss) * 1024;
}

MetricsLog::MetricsLog(std::filesystem::path path) : path_(std::move(path)) {}

void MetricsLog::drop_from_step(std::int64_t step) {
  if (path_.empty() || !std::filesystem::exists(path_)) return;
  std::istringstream lines(read_file(path_, std::uint64_t{1} << 32));
  std::string kept;
  for (std::string line; std::getline(lines, line);) {
    const auto json = parse_json_or_null(line);
    const bool whole =
        json.is_object() && json.contains("step") && json["step"].is_number_integer();
    if (!whole) {
      log_warning("{}: a line that is torn or damaged is left out", path_.string());
      continue;
    }
    const std::int64_t of = json["step"];
    if (of < step || (of == step && json.contains("loss"))) kept += line + "\n";
  }
  write_file_atomically(path_, kept);
}

void MetricsLog::write(const StepMetrics& metrics) {
  if (path_.empty()) return;
  const auto& r = metrics.result;
  nlohmann::ordered_json line = {{"step", metrics.step},
                                 {"epoch", metrics.epoch},
                                 {"loss", r.loss},
                                 {"grad_norm", r.gradient_norm},
                                 {"learning_rate", metrics.learning_rate},
                                 {"targets", r.targets},
                                 {"tokens_per_second", metrics.tokens_per_second()},
                                 {"seconds",
                                  {{"data", metrics.data_seconds},
                                   {"forward", r.forward_seconds},
                                   {"backward", r.backward_seconds},
                                   {"reduce", r.reduce_seconds},
                                   {"update", r.update_seconds}}},
                                 {"peak_memory_bytes", peak_memory_bytes()}};
  if (metrics.stage) line["stage"] = *metrics.stage;
  if (metrics.heldout_loss) line["heldout_loss"] = *metrics.heldout_loss;
  append(line.dump());
}

void MetricsLog::write_heldout(std::int64_t step, std::optional<std::int64_t> stage, double loss) {
  if (path_.empty()) return;
  nlohmann::ordered_json line = {{"step", step}};
  if (stage) line["stage"] = *stage;
  line["heldout_loss"] = loss;
  append(line.dump());
}

void MetricsLog::write_frozen(std::int64_t step, const std::string& hash) {
  if (path_.empty()) return;
  append(nlohmann::ordered_json{{"step", step}, {"frozen_weights_unchanged", hash}}.dump());
}

void MetricsLog::append(const std::string& line) {
  if (append_to_file(path_, seal_json(line) + "\n") || warned_) return;
  warned_ = true;
  log_warning("cannot write {}: the run goes on without its metrics", path_.string());
}

}  // namespace softcot
