#include "evaluation/result_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "runtime/error.h"

namespace softcot {
namespace {

constexpr Extractor kExtractors[] = {Extractor::kStrict, Extractor::kFlexible,
                                     Extractor::kReference};

// What is known of one question under one method.
struct Question {
  std::map<std::int64_t, const Sample*> samples;  // By sample index.

  // Sample 0's, else that of the first sample that has one.
  const Sample* with_nll() const {
    for (const auto& [index, sample] : samples) {
      if (sample->answer_nll && sample->target_tokens > 0) return sample;
    }
    return nullptr;
  }
  double share_correct(Extractor extractor) const {
    const auto right = std::count_if(samples.begin(), samples.end(), [&](const auto& entry) {
      return entry.second->read_by(extractor).correct;
    });
    return static_cast<double>(right) / static_cast<double>(samples.size());
  }
};

using Questions =
    std::map<std::string, Question>;  // In the order of their ids, whatever the file's.

Questions by_question(const std::vector<Sample>& samples) {
  Questions questions;
  for (const Sample& sample : samples) {
    questions[sample.question_id].samples.emplace(sample.sample_index, &sample);
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
  const double error = over.deviation.value_or(0) / std::sqrt(static_cast<double>(shares.size()));
  return {over.mean,
          error,
          {std::max(0.0, over.mean - 1.96 * error), std::min(1.0, over.mean + 1.96 * error)}};
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

std::optional<Contrast> contrast_of(const Questions& own, const Questions& baseline,
                                    const ComparisonOptions& options) {
  Contrast contrast;
  std::vector<double> columns[4];
  std::vector<double> shares[2];
  for (const auto& [id, question] : own) {
    const auto other = baseline.find(id);
    if (other == baseline.end()) continue;
    ++contrast.questions;
    const bool solved = question.samples.begin()->second->read_by(options.headline).correct;
    const bool by_other = other->second.samples.begin()->second->read_by(options.headline).correct;
    shares[0].push_back(question.share_correct(options.headline));
    shares[1].push_back(other->second.share_correct(options.headline));
    contrast.only_this += solved && !by_other ? 1 : 0;
    contrast.only_baseline += by_other && !solved ? 1 : 0;
    const Sample* left = question.with_nll();
    const Sample* right = other->second.with_nll();
    if (left == nullptr || right == nullptr) continue;
    columns[0].push_back(*left->answer_nll);
    columns[1].push_back(static_cast<double>(left->target_tokens));
    columns[2].push_back(*right->answer_nll);
    columns[3].push_back(static_cast<double>(right->target_tokens));
  }
  if (contrast.questions == 0) return std::nullopt;
  contrast.mcnemar_p = mcnemar_exact_p(contrast.only_this, contrast.only_baseline);
  contrast.accuracy = paired_mean_difference(shares[0], shares[1], options.bootstrap);
  if (!columns[0].empty()) {
    contrast.nll =
        paired_ratio_difference(columns[0], columns[1], columns[2], columns[3], options.bootstrap);
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
      const ExtractedAnswer& read = sample->read_by(extractor);
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

MethodResult result_of(const MethodSamples& method, const Questions& questions,
                       const ComparisonOptions& options) {
  MethodResult result;
  result.method = method.method;
  result.title = method.title;
  result.questions = questions.size();
  result.nll_per_token = nll_of(questions, options.bootstrap);
  for (const Extractor extractor : kExtractors) {
    result.accuracy[std::string(extractor_name(extractor))] = accuracy_of(questions, extractor);
  }
  double tokens = 0;
  for (const auto& [id, question] : questions) {
    for (const auto& [index, sample] : question.samples) {
      ++result.samples;
      tokens += static_cast<double>(sample->new_tokens);
      result.truncated += sample->finish == "length" ? 1 : 0;
    }
  }
  const auto votes = votes_of(questions, method.seeds, options.headline);
  if (!votes.empty()) {
    result.over_seeds = over_seeds(votes, method.seeds);
    if (votes[0].size() > 1) {
      result.voting = self_consistency(votes, options.vote, options.bootstrap.seed);
    }
  }
  result.mean_new_tokens = tokens / static_cast<double>(result.samples);
  return result;
}

}  // namespace

Comparison compare_methods(std::span<const MethodSamples> methods,
                           const ComparisonOptions& options) {
  Comparison comparison{.options = options, .rows = {}};
  Questions baseline;
  for (const MethodSamples& method : methods) {
    if (method.method == options.baseline) baseline = by_question(method.samples);
  }
  for (const MethodSamples& method : methods) {
    const Questions questions = by_question(method.samples);
    if (questions.empty()) continue;
    MethodResult result = result_of(method, questions, options);
    if (method.method != options.baseline) {
      result.contrast = contrast_of(questions, baseline, options);
    }
    comparison.rows.push_back(std::move(result));
  }
  return comparison;
}

}  // namespace softcot
