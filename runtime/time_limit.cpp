#include "runtime/time_limit.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "runtime/log.h"
#include "runtime/progress.h"

namespace softcot {
namespace {

/// Longest rounds kept free: for the one under way, for saving, and one to be sure.
constexpr double kRounds = 3;

}  // namespace

std::optional<double> seconds_to_job_end() {
  const char* text = std::getenv("SLURM_JOB_END_TIME");
  if (text == nullptr) return std::nullopt;
  const std::string_view digits = text;
  double end = 0;
  const auto [rest, error] = std::from_chars(digits.data(), digits.data() + digits.size(), end);
  if (error != std::errc{} || rest != digits.data() + digits.size()) return std::nullopt;
  const std::chrono::duration<double> now = std::chrono::system_clock::now().time_since_epoch();
  return end - now.count();
}

double TimeLimit::steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

TimeLimit::TimeLimit(const TimeLimitOptions& options, std::optional<double> seconds_to_job_end,
                     Clock clock)
    : clock_(std::move(clock)), margin_(options.margin_seconds) {
  const double now = clock_();
  if (options.max_minutes > 0) own_end_ = now + 60 * options.max_minutes;
  if (seconds_to_job_end) job_end_ = now + *seconds_to_job_end;
}

bool TimeLimit::reached() {
  const double now = clock_();
  if (last_) longest_ = std::max(longest_, now - *last_);
  last_ = now;
  if (reached_) return true;
  const double rounds = kRounds * longest_;
  reached_ = before(job_end_, std::max(margin_, rounds), "the batch job") ||
             before(own_end_, rounds, "stop.max-minutes");
  return reached_;
}

/// Whether less than `margin` is left, which is then told.
bool TimeLimit::before(std::optional<double> end, double margin, const char* what) {
  if (!end || *end - *last_ > margin) return false;
  log_info("stopping: {} to the end of {}, steps took up to {:.1f} s",
           format_duration(std::max(0.0, *end - *last_)), what, longest_);
  return true;
}

}  // namespace softcot
