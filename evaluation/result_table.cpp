#include "evaluation/result_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <utility>

namespace softcot {
namespace {

constexpr Extractor kExtractors[] = {Extractor::kStrict, Extractor::kFlexible,
                                     Extractor::kReference};

// "3.999" is "4" and "0.125" is "0.12", as Python's round gives them; what is no decimal number
// stays as it is.
std::string to_two_places(const std::string& number) {
  double value = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
  const bool whole = error == std::errc() && end == number.data() + number.size();
  if (!whole || number.find('.') == std::string::npos) return number;
  std::string text = fmt::format("{:.2f}", value);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

// What is known of one question under one method.
struct Question {
  std::map<std::int64_t, const Sample*> samples;  // By sample index.
  ScoringQuirks quirks;

  // Sample 0's, else that of the first sample that has one.
  const Sample* with_nll() const {
    for (const auto& [index, sample] : samples) {
      if (sample->answer_nll && sample->target_tokens > 0) return sample;
    }
    return nullptr;
  }
  double share_correct(Extractor extractor) const {
    const auto right = std::count_if(samples.begin(), samples.end(), [&](const auto& entry) {
      return answer_in(*entry.second, extractor).correct;
    });
    return static_cast<double>(right) / static_cast<double>(samples.size());
  }
  ExtractedAnswer answer_in(const Sample& sample, Extractor extractor) const {
    ExtractedAnswer read = sample.read_by(extractor);
    if (!read.answer) return read;
    std::string number = *read.answer;
    if (quirks.lost_sign && number.size() > 1 && number.front() == '-') number.erase(0, 1);
    if (quirks.rounded) number = to_two_places(number);
    if (number == *read.answer) return read;
    return {number, answers_equal(AnswerType::kNumber, number, sample.reference)};
  }
};

using Questions =
    std::map<std::string, Question>;  // In the order of their ids, whatever the file's.

Questions by_question(const MethodSamples& method) {
  Questions questions;
  for (const Sample& sample : method.samples) {
    Question& question = questions[sample.question_id];
    question.quirks = method.quirks;
    question.samples.emplace(sample.sample_index, &sample);
  }
  return questions;
}

Accuracy accuracy_of(const Questions& questions, Extractor extractor) {
  std::vector<double> shares;
  bool single = true;
  for (const auto& [id, question] : questions) {
    shares.push_back(question.share_correct(extractor));
    single = single && question.samples.size() == 1;
  }
  if (single) {
    const auto right = static_cast<std::size_t>(std::count(shares.begin(), shares.end(), 1.0));
    const Proportion share = proportion(right, shares.size());
    return {share.value, share.standard_error, share.wilson95};
  }
  const Spread over = spread(shares);
  const auto count = static_cast<double>(shares.size());
  const double error = over.deviation.value_or(0) / std::sqrt(count);
  const double mean = std::clamp(over.mean, 0.0, 1.0);
  constexpr double kRounding = 1e-9;  // Of shares like 0.4, none of which differs.
  const double alike = error > kRounding ? mean * (1 - mean) / (error * error) : count;
  return {mean, error, wilson95(mean, std::max(count, alike))};
}

/// "C", "Yes" or "No"; nothing for a reference answer of another kind.
std::optional<std::string> class_of(std::string reference) {
  if (reference.size() == 1 && reference[0] >= 'A' && reference[0] <= 'Z') return reference;
  std::transform(reference.begin(), reference.end(), reference.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  if (reference == "yes") return "Yes";
  if (reference == "no") return "No";
  return std::nullopt;
}

std::optional<MajorityClass> majority_class_of(const Questions& questions) {
  std::map<std::string, std::size_t> counts;
  for (const auto& [id, question] : questions) {
    const auto answer = class_of(question.samples.begin()->second->reference);
    if (!answer) return std::nullopt;
    ++counts[*answer];
  }
  const auto most =
      std::max_element(counts.begin(), counts.end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; });
  return MajorityClass{most->first,
                       static_cast<double>(most->second) / static_cast<double>(questions.size())};
}

std::optional<Estimate> nll_of(const Questions& questions, const BootstrapOptions& options) {
  std::vector<double> nll;
  std::vector<double> tokens;
  for (const auto& [id, question] : questions) {
    const Sample* sample = question.with_nll();
    if (sample == nullptr) continue;
    nll.push_back(*sample->answer_nll);
    tokens.push_back(static_cast<double>(sample->target_tokens));
  }
  if (nll.empty()) return std::nullopt;
  return ratio_of_sums(nll, tokens, options);
}

/// A method's samples with all that decides how they count.
struct Scored {
  Questions questions;
  Extractor headline = Extractor::kFlexible;
  VoteRule vote = VoteRule::kStrict;
  std::size_t seeds = 1;

  /// Samples that every question has under each seed.
  std::size_t samples_each() const {
    std::size_t least = questions.begin()->second.samples.size();
    for (const auto& [id, question] : questions) least = std::min(least, question.samples.size());
    return std::max<std::size_t>(1, least / seeds);
  }
  /// Whether the vote of a question's first k samples under a seed is right.
  bool solves(const Question& question, std::size_t seed, std::size_t k) const {
    const std::size_t first = seed % seeds * (question.samples.size() / seeds);
    std::vector<VotingAnswer> votes;
    for (auto at = std::next(question.samples.begin(), static_cast<std::ptrdiff_t>(first));
         at != question.samples.end() && votes.size() < k; ++at) {
      const ExtractedAnswer read = question.answer_in(*at->second, headline);
      votes.push_back({read.answer, read.correct});
    }
    return vote_is_right(votes, vote);
  }
};

Scored scored(const MethodSamples& method, const ComparisonOptions& options) {
  return {.questions = by_question(method),
          .headline = headline_of(options, method.quirks),
          .vote = method.quirks.none_votes_once ? VoteRule::kReference : options.vote,
          .seeds = method.seeds};
}

std::optional<Contrast> contrast_of(const Scored& own, const Scored& baseline,
                                    const BootstrapOptions& bootstrap) {
  if (own.questions.empty() || baseline.questions.empty()) return std::nullopt;
  Contrast contrast;
  contrast.votes = std::min(own.samples_each(), baseline.samples_each());
  contrast.seeds.resize(std::max(own.seeds, baseline.seeds));
  std::vector<double> columns[4];
  std::vector<double> shares[2];
  for (const auto& [id, question] : own.questions) {
    const auto other = baseline.questions.find(id);
    if (other == baseline.questions.end()) continue;
    ++contrast.questions;
    for (std::size_t seed = 0; seed < contrast.seeds.size(); ++seed) {
      const bool solved = own.solves(question, seed, contrast.votes);
      const bool by_other = baseline.solves(other->second, seed, contrast.votes);
      contrast.seeds[seed].only_left += solved && !by_other ? 1 : 0;
      contrast.seeds[seed].only_right += by_other && !solved ? 1 : 0;
    }
    shares[0].push_back(question.share_correct(own.headline));
    shares[1].push_back(other->second.share_correct(baseline.headline));
    const Sample* left = question.with_nll();
    const Sample* right = other->second.with_nll();
    if (left == nullptr || right == nullptr) continue;
    columns[0].push_back(*left->answer_nll);
    columns[1].push_back(static_cast<double>(left->target_tokens));
    columns[2].push_back(*right->answer_nll);
    columns[3].push_back(static_cast<double>(right->target_tokens));
  }
  if (contrast.questions == 0) return std::nullopt;
  contrast.mcnemar_p = mcnemar_p_over_seeds(contrast.seeds);
  contrast.accuracy = paired_mean_difference(shares[0], shares[1], bootstrap);
  if (!columns[0].empty()) {
    contrast.nll =
        paired_ratio_difference(columns[0], columns[1], columns[2], columns[3], bootstrap);
  }
  return contrast;
}

/// The samples of each question and seed, in their order; nothing unless all are equally many.
std::vector<std::vector<VotingAnswer>> votes_of(const Questions& questions, std::size_t seeds,
                                                Extractor extractor) {
  std::vector<std::vector<VotingAnswer>> votes;
  const std::size_t count = questions.begin()->second.samples.size();
  if (count % seeds != 0) return {};
  for (const auto& [id, question] : questions) {
    if (question.samples.size() != count) return {};
    std::size_t position = 0;
    for (const auto& [index, sample] : question.samples) {
      if (position++ % (count / seeds) == 0) votes.emplace_back();
      const ExtractedAnswer read = question.answer_in(*sample, extractor);
      votes.back().push_back({read.answer, read.correct});
    }
  }
  return votes;
}

/// The accuracy under each seed. votes[q · seeds + s] are those of question q.
Spread over_seeds(const std::vector<std::vector<VotingAnswer>>& votes, std::size_t seeds) {
  std::vector<double> accuracies(seeds);
  for (std::size_t i = 0; i < votes.size(); ++i) {
    const auto right = std::count_if(votes[i].begin(), votes[i].end(),
                                     [](const VotingAnswer& vote) { return vote.correct; });
    accuracies[i % seeds] += static_cast<double>(right) / static_cast<double>(votes[i].size());
  }
  for (double& accuracy : accuracies) {
    accuracy *= static_cast<double>(seeds) / static_cast<double>(votes.size());
  }
  return spread(accuracies);
}

MethodResult result_of(const MethodSamples& method, const Scored& own,
                       const ComparisonOptions& options) {
  const Questions& questions = own.questions;
  MethodResult result;
  result.method = method.method;
  result.title = method.title;
  result.quirks = method.quirks;
  result.baseline = method.baseline.empty() ? options.baseline : method.baseline;
  result.questions = questions.size();
  result.skipped = method.skipped;
  result.nll_per_token = nll_of(questions, options.bootstrap);
  for (const Extractor extractor : kExtractors) {
    result.accuracy[std::string(extractor_name(extractor))] = accuracy_of(questions, extractor);
  }
  result.majority_class = majority_class_of(questions);
  double tokens = 0;
  for (const auto& [id, question] : questions) {
    for (const auto& [index, sample] : question.samples) {
      ++result.samples;
      tokens += static_cast<double>(sample->new_tokens);
      result.truncated += sample->finish == "length" ? 1 : 0;
    }
  }
  const auto votes = votes_of(questions, own.seeds, own.headline);
  if (!votes.empty()) {
    result.over_seeds = over_seeds(votes, own.seeds);
    if (votes[0].size() > 1) {
      result.voting = self_consistency(votes, own.vote, options.bootstrap.seed);
    }
  }
  result.mean_new_tokens = tokens / static_cast<double>(result.samples);
  result.training_nll = method.training_nll;
  return result;
}

}  // namespace

Extractor headline_of(const ComparisonOptions& options, const ScoringQuirks& quirks) {
  return quirks.reference_extractor ? Extractor::kReference : options.headline;
}

const Accuracy& headline_accuracy(const MethodResult& result) {
  const Extractor extractor = headline_of({}, result.quirks);
  return result.accuracy.at(std::string(extractor_name(extractor)));
}

const MethodResult* row_of(const Comparison& comparison, const std::string& method) {
  for (const MethodResult& row : comparison.rows) {
    if (row.method == method) return &row;
  }
  return nullptr;
}

std::size_t most_votes(const Comparison& comparison) {
  std::size_t most = 0;
  for (const MethodResult& row : comparison.rows) {
    if (row.voting) most = std::max(most, row.voting->majority.size());
  }
  return most;
}

std::optional<double> nll_per_token_of(std::span<const Sample> samples) {
  double nll = 0;
  double tokens = 0;
  for (const Sample& sample : samples) {
    if (!sample.answer_nll) continue;
    nll += *sample.answer_nll;
    tokens += static_cast<double>(sample.target_tokens);
  }
  if (tokens == 0) return std::nullopt;
  return nll / tokens;
}

void correct_for_lines(Comparison& comparison) {
  std::vector<Contrast*> lines;
  std::vector<double> p;
  for (MethodResult& row : comparison.rows) {
    if (!row.contrast) continue;
    lines.push_back(&*row.contrast);
    p.push_back(row.contrast->mcnemar_p);
  }
  const std::vector<double> holm = holm_adjusted(p);
  std::vector<double> values;
  std::vector<std::vector<double>> resampled;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    lines[i]->lines = lines.size();
    lines[i]->holm_p = holm[i];
    if (!lines[i]->nll || lines[i]->nll->resampled.empty()) continue;
    values.push_back(lines[i]->nll->relative.value);
    resampled.push_back(std::move(lines[i]->nll->resampled));
  }
  const auto together =
      simultaneous_intervals(values, resampled, comparison.options.bootstrap.level);
  std::size_t next = 0;
  for (Contrast* line : lines) {
    if (!line->nll) continue;
    if (lines.size() == 1) {
      line->nll_of_all = line->nll->relative.interval;
    } else if (next < together.size()) {
      line->nll_of_all = together[next++];
    }
    line->nll->resampled.clear();
  }
}

Comparison compare_methods(std::span<const MethodSamples> methods,
                           const ComparisonOptions& options) {
  Comparison comparison{.options = options, .rows = {}};
  std::map<std::string, Scored> all;
  for (const MethodSamples& method : methods) all[method.method] = scored(method, options);
  for (const MethodSamples& method : methods) {
    const Scored& own = all.at(method.method);
    if (own.questions.empty()) continue;
    MethodResult result = result_of(method, own, options);
    const auto baseline = all.find(result.baseline);
    if (method.method != result.baseline && baseline != all.end()) {
      result.contrast = contrast_of(own, baseline->second, options.bootstrap);
    }
    comparison.rows.push_back(std::move(result));
  }
  correct_for_lines(comparison);
  return comparison;
}

}  // namespace softcot
