#include "launch/bench/bench_table.h"

#include <fmt/format.h>

#include <algorithm>

#include "launch/bench/bench_clock.h"

namespace softcot {
namespace {

using Json = nlohmann::ordered_json;

bool answered(const Matchup& comparison, const Json& line) {
  return line.is_object() && line.contains(comparison.figure);
}

double figure_of(const Matchup& comparison, const Json& line) {
  return comparison.scale * line[comparison.figure].get<double>();
}

std::vector<double> figures(const Matchup& comparison, const Answers& answers) {
  std::vector<double> found;
  for (const Json& line : answers) {
    if (answered(comparison, line)) found.push_back(figure_of(comparison, line));
  }
  return found;
}

/// softcot against contender `c`, in each repetition in which both answered.
std::vector<double> ratios(const ContestResult& result, std::size_t c) {
  const Matchup& comparison = result.comparison;
  std::vector<double> found;
  for (std::size_t r = 0; r < result.answers[0].size(); ++r) {
    const Json& ours = result.answers[0][r];
    const Json& theirs = result.answers[c][r];
    if (!answered(comparison, ours) || !answered(comparison, theirs)) continue;
    const double a = figure_of(comparison, ours);
    const double b = figure_of(comparison, theirs);
    found.push_back(comparison.lower_is_better ? b / a : a / b);
  }
  return found;
}

std::string short_number(double value) {
  const double size = std::abs(value);
  return fmt::format("{:.{}f}", value, size >= 100 ? 0 : size >= 10 ? 1 : size > 0 ? 2 : 0);
}

/// "4.52 (4.31 – 4.66)"
std::string with_spread(const std::vector<double>& values) {
  if (values.empty()) return "–";
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  std::string middle = short_number(median_of(values));
  if (values.size() == 1 || short_number(*least) == short_number(*most)) return middle;
  return fmt::format("{} ({} – {})", middle, short_number(*least), short_number(*most));
}

/// What the repetition in the middle says besides.
std::string remark_of(const ContestResult& result) {
  const Matchup& comparison = result.comparison;
  std::vector<const Json*> lines;
  for (const Json& line : result.answers[0]) {
    if (answered(comparison, line)) lines.push_back(&line);
  }
  if (!comparison.remark || lines.empty()) return "";
  std::sort(lines.begin(), lines.end(), [&](const Json* a, const Json* b) {
    return figure_of(comparison, *a) < figure_of(comparison, *b);
  });
  return comparison.remark(*lines[lines.size() / 2]);
}

std::string their_figure(const ContestResult& result, std::size_t c) {
  const Contender& contender = result.comparison.contenders[c];
  if (!contender.missing.empty()) return contender.missing;
  const auto found = figures(result.comparison, result.answers[c]);
  return found.empty() ? "failed" : with_spread(found);
}

}  // namespace

std::string bench_markdown(const BenchSetting& setting, const std::vector<ContestResult>& results) {
  std::string text = fmt::format(
      "{}\n{}\nsoftcot {}; medians of {} repetitions in turn, with the least and the most; a ratio "
      "above 1 is in softcot's favour.\n\n"
      "| what | precision | softcot | beside | its figure | ratio | softcot's bound |\n"
      "| --- | --- | --- | --- | --- | --- | --- |\n",
      setting.workload, setting.machine, setting.version, setting.repeats);
  for (const ContestResult& result : results) {
    const Matchup& comparison = result.comparison;
    const std::string begin =
        fmt::format("| {}, {} | {} | {} |", comparison.title, comparison.unit, comparison.dtype,
                    with_spread(figures(comparison, result.answers[0])));
    if (result.answers.size() == 1)
      text += fmt::format("{} | | | {} |\n", begin, remark_of(result));
    for (std::size_t c = 1; c < result.answers.size(); ++c) {
      text += fmt::format("{} {} | {} | {} | {} |\n", c == 1 ? begin : "| | | |",
                          comparison.contenders[c].name, their_figure(result, c),
                          with_spread(ratios(result, c)), c == 1 ? remark_of(result) : "");
    }
  }
  return text;
}

Json bench_json(const BenchSetting& setting, const std::vector<ContestResult>& results) {
  Json all = {{"machine", setting.machine},
              {"workload", setting.workload},
              {"softcot", setting.version},
              {"repeats", setting.repeats},
              {"comparisons", Json::array()}};
  for (const ContestResult& result : results) {
    const Matchup& comparison = result.comparison;
    Json contenders = Json::array();
    for (std::size_t c = 0; c < result.answers.size(); ++c) {
      Json contender = {{"name", comparison.contenders[c].name}};
      const auto found = figures(comparison, result.answers[c]);
      if (!found.empty()) contender["figure"] = spread_of(found);
      if (!comparison.contenders[c].missing.empty()) {
        contender["missing"] = comparison.contenders[c].missing;
      }
      const auto against = ratios(result, c);
      if (c > 0 && !against.empty()) contender["ratio"] = spread_of(against);
      contender["lines"] = result.answers[c];
      contenders.push_back(contender);
    }
    all["comparisons"].push_back({{"part", comparison.part},
                                  {"title", comparison.title},
                                  {"dtype", comparison.dtype},
                                  {"figure", comparison.figure},
                                  {"unit", comparison.unit},
                                  {"lower_is_better", comparison.lower_is_better},
                                  {"contenders", contenders}});
  }
  return all;
}

}  // namespace softcot
