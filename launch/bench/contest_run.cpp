#include <fmt/format.h>

#include <fstream>
#include <map>
#include <set>
#include <thread>

#include "launch/bench/contest.h"
#include "launch/sweep/child_command.h"
#include "runtime/log.h"
#include "runtime/progress.h"
#include "runtime/stopwatch.h"

namespace softcot {
namespace {

using Json = nlohmann::ordered_json;

/// The last line of JSON in `file` from `begin` on; null when there is none.
Json last_line(const std::filesystem::path& file, std::uintmax_t begin) {
  std::ifstream stream(file);
  stream.seekg(static_cast<std::streamoff>(begin));
  Json found;
  for (std::string line; std::getline(stream, line);) {
    if (line.starts_with('{')) found = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  }
  return found.is_object() ? found : Json();
}

Json run_contender(const Contender& contender, const std::filesystem::path& log) {
  const auto begin = std::filesystem::exists(log) ? std::filesystem::file_size(log) : 0;
  ChildCommand child(contender.words, log);
  while (!child.status()) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  return child.status() == 0 ? last_line(log, begin) : Json();
}

/// Runs that are wanted, each once in a turn.
class Turns {
 public:
  Turns(const std::vector<Matchup>& comparisons, std::int64_t repeats,
        const std::filesystem::path& log)
      : log_(log) {
    std::set<std::vector<std::string>> seen;
    for (const Matchup& comparison : comparisons) {
      const std::int64_t times = comparison.once ? 1 : repeats;
      for (const Contender& contender : comparison.contenders) {
        if (!contender.missing.empty() || !seen.insert(contender.words).second) continue;
        expected_ += static_cast<double>(times) * contender.seconds;
        count_ += times;
      }
    }
  }

  void next_turn() { said_.clear(); }

  Json answer_of(const Matchup& comparison, const Contender& contender) {
    if (!contender.missing.empty()) return {};
    const auto known = said_.find(contender.words);
    if (known != said_.end()) return known->second;
    const Json line = run_contender(contender, log_);
    ++done_;
    expected_done_ += contender.seconds;
    taken_ += clock_.lap();
    const double left = (expected_ - expected_done_) * taken_ / expected_done_;
    const std::string figure =
        line.contains(comparison.figure)
            ? fmt::format("{:.4g} {}", comparison.scale * line[comparison.figure].get<double>(),
                          comparison.unit)
            : "failed, see " + log_.string();
    log_info("{}/{} {}, {}, {}: {}; {} left", done_, count_, comparison.title, comparison.dtype,
             contender.name, figure, format_duration(left));
    return said_.emplace(contender.words, line).first->second;
  }

 private:
  const std::filesystem::path& log_;
  std::map<std::vector<std::string>, Json> said_;
  std::int64_t count_ = 0;
  std::int64_t done_ = 0;
  double expected_ = 0;
  double expected_done_ = 0;
  double taken_ = 0;
  Stopwatch clock_;
};

}  // namespace

std::vector<ContestResult> hold_contest(const std::vector<Matchup>& comparisons,
                                        std::int64_t repeats, const std::filesystem::path& log) {
  std::vector<ContestResult> results;
  for (const Matchup& comparison : comparisons) {
    results.push_back({comparison, std::vector<Answers>(comparison.contenders.size())});
  }
  Turns turns(comparisons, repeats, log);
  for (std::int64_t r = 0; r < repeats; ++r) {
    turns.next_turn();
    for (ContestResult& result : results) {
      if (result.comparison.once && r > 0) continue;
      for (std::size_t c = 0; c < result.answers.size(); ++c) {
        result.answers[c].push_back(
            turns.answer_of(result.comparison, result.comparison.contenders[c]));
      }
    }
  }
  return results;
}

}  // namespace softcot
