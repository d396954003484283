#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/answer_extraction.h"
#include "data/compat.h"
#include "evaluation/sample_log.h"
#include "evaluation/self_consistency.h"
#include "evaluation/statistics.h"

namespace softcot {

/// The samples of one method.
struct MethodSamples {
  std::string method;  ///< "softcot"; the name of its sample file.
  std::string title;   ///< "SoftCoT"; what people read.
  std::vector<Sample> samples;
  /// The samples of a question fall into so many equal parts, by index: one for each seed.
  std::size_t seeds = 1;
  ScoringQuirks quirks = {};  ///< Under which they are read and counted.
  std::string baseline = {};  ///< The method they are compared with; empty for the comparison's.
  std::size_t skipped = 0;    ///< Questions that it was not asked, as their rows are too long.
  /// NLL per token under each training that the samples are of; empty where nothing was trained.
  std::vector<double> training_nll = {};
};

/// How often a method was right, over questions (a question's value is the mean of its samples).
struct Accuracy {
  double value = 0;  ///< In [0, 1].
  double standard_error =
      0;                ///< Binomial for one sample a question, else sd of the questions / sqrt(n).
  Interval interval95;  ///< Wilson; of several samples a question, with as many questions as would
                        ///< have this standard error, at least those that there are.
};

/// Against the baseline, on the questions that both have.
struct Contrast {
  std::size_t questions = 0;
  std::optional<PairedRatios> nll;  ///< Missing when either has no answer NLL.
  /// Samples of a question under one seed whose majority decides whether it is solved: as many as
  /// both methods have.
  std::size_t votes = 1;
  /// Questions that only this method (left) or the baseline (right) solves, under each seed. Where
  /// one of the two has fewer seeds, they stand for the others again and again.
  std::vector<Discordance> seeds;
  double mcnemar_p = 1;  ///< mcnemar_p_over_seeds of them.
  Estimate accuracy;     ///< This method's share of right samples - the baseline's, over questions.

  // Where several lines are compared, one of them looks better by chance.
  std::size_t lines = 1;  ///< Of the comparison that have a baseline, this one included.
  double holm_p = 1;      ///< holm_adjusted of the lines' mcnemar_p.
  /// simultaneous_intervals of the lines' nll->relative; that one's own interval where it is alone.
  /// Missing where there is no nll, and in a file that was written before there were any.
  std::optional<Interval> nll_of_all;
};

/// The most frequent reference answer of questions with few possible answers, and its share of
/// them: the accuracy of a method that always answers it.
struct MajorityClass {
  std::string answer;
  double share = 0;  ///< In (0, 1].
};

/// One row of the table.
struct MethodResult {
  std::string method;
  std::string title;
  ScoringQuirks quirks;
  std::string baseline;  ///< Of `contrast`.
  std::size_t questions = 0;
  std::size_t skipped = 0;  ///< Besides them: MethodSamples::skipped.
  std::size_t samples = 0;
  std::optional<Estimate> nll_per_token;     ///< Nats; 95 % interval over questions.
  std::map<std::string, Accuracy> accuracy;  ///< By extractor name: all three.
  /// Where every reference answer is the letter of a choice, or yes or no.
  std::optional<MajorityClass> majority_class;
  double mean_new_tokens = 0;
  std::size_t truncated = 0;         ///< Samples cut off at the length limit.
  std::optional<Contrast> contrast;  ///< Missing for the baseline, and where there is none.
  Spread over_seeds;                 ///< Of the headline accuracy.
  std::vector<double> training_nll;  ///< MethodSamples::training_nll.
  /// Votes among 1 … K samples of one seed, by the headline extractor; missing for K = 1 and where
  /// questions have different numbers of samples.
  std::optional<SelfConsistency> voting;
};

struct ComparisonOptions {
  std::string baseline = "zero_shot_cot";
  Extractor headline = Extractor::kFlexible;
  VoteRule vote = VoteRule::kStrict;
  BootstrapOptions bootstrap = {};
};

struct Comparison {
  ComparisonOptions options;
  std::vector<MethodResult> rows;  ///< In the order given.
};

/// The extractor of a row's headline accuracy: the comparison's, unless a quirk says otherwise.
Extractor headline_of(const ComparisonOptions& options, const ScoringQuirks& quirks);

/// That of a result's headline extractor, under the default options.
const Accuracy& headline_accuracy(const MethodResult& result);
/// The row of this method; null where there is none.
const MethodResult* row_of(const Comparison& comparison, const std::string& method);

/// Negative log-likelihood per token of the reference rationales and answers, over all samples that
/// have one; nothing where none has.
std::optional<double> nll_per_token_of(std::span<const Sample> samples);

/// Fills in Contrast::lines and holm_p, and nll_of_all where resamples are there, which are then
/// dropped.
void correct_for_lines(Comparison& comparison);

/// Methods without samples are left out. Pure: the order of a method's samples does not matter.
Comparison compare_methods(std::span<const MethodSamples> methods,
                           const ComparisonOptions& options);

/// The largest K of all rows' votes; 0 where there are none.
std::size_t most_votes(const Comparison& comparison);

/// The table as text of at most 100 columns: two lines a method, figures and below them their 95 %
/// intervals, then what they mean. Plain UTF-8, no control characters.
std::string format_table(const Comparison& comparison);

/// What the figures were made from, for those who want to make them again.
struct Provenance {
  std::string task = {};        ///< "svamp": whose questions were answered.
  std::string trained_on = {};  ///< "gsm8k"; empty if nothing was trained.
  std::string config_hash;
  std::string prompt_hash;
  std::map<std::string, std::string>
      model_hashes;                             ///< "backbone", "assistant", "projection" → hash.
  std::map<std::string, std::string> versions;  ///< "softcot", "libtorch" …
  std::vector<std::string> trained_parameters;  ///< "projection.weight [576, 576]"; may be empty.
  /// Hashes of "questions", of the rows "trained on" and of the "thoughts" that were read.
  std::map<std::string, std::string> data_hashes = {};
  std::map<std::string, std::int64_t> parameters = {};  ///< Numbers in each of the models.
};

/// results.json in full; docs/statistics.md names its fields.
nlohmann::ordered_json results_to_json(const Comparison& comparison, const Provenance& provenance);
/// Throws kInput naming `where` and the field if something is missing or of another kind.
Comparison comparison_from_json(const nlohmann::json& json, const std::string& where);
Provenance provenance_from_json(const nlohmann::json& json, const std::string& where);

/// One line a method, with the figures of format_table in columns of their own and intervals as two
/// of them. Fractions, not per cent.
std::string format_csv(const Comparison& comparison);
/// A table for a page of Markdown.
std::string format_markdown(const Comparison& comparison);

/// results_to_json as a file that appears whole, and beside it the table as .csv and .md. Throws as
/// AtomicFile does.
void write_results(const std::filesystem::path& path, const Comparison& comparison,
                   const Provenance& provenance);

}  // namespace softcot
