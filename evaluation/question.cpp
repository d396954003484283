#include "evaluation/question.h"

#include <fmt/format.h>

#include <cmath>
#include <span>

#include "evaluation/answer_likelihood.h"
#include "runtime/error.h"
#include "runtime/hash.h"

namespace softcot {
namespace {

struct Pending {
  std::size_t question;
  std::int64_t sample;
};

Sample make_sample(const Question& question, std::int64_t index, const Generation& generation,
                   const Tokenizer& tokenizer) {
  Sample sample;
  sample.question_id = question.record.id;
  sample.sample_index = index;
  sample.question = question.record.question;
  sample.reference = question.record.answer;
  sample.prompt_hash = prompt_hash(question);
  sample.ids = generation.ids;
  const bool stopped = generation.finish == Finish::kStop;
  sample.text =
      tokenizer.decode(std::span(generation.ids).first(generation.ids.size() - (stopped ? 1 : 0)));
  sample.new_tokens = static_cast<std::int64_t>(generation.ids.size());
  sample.finish = stopped ? "stop" : "length";
  extract_answers(sample, question.record.type);
  return sample;
}

/// Of the questions whose first sample is pending; batches are made of all, so that a resumed
/// evaluation finds the same numbers.
std::vector<AnswerLikelihood> score(const SoftPromptModel& model,
                                    const std::vector<Question>& questions,
                                    const std::vector<Pending>& pending,
                                    std::int64_t batch_tokens) {
  std::vector<bool> wanted(questions.size());
  for (const auto& item : pending) {
    if (item.sample == 0) wanted[item.question] = true;
  }
  std::vector<LikelihoodRequest> requests;
  std::vector<std::size_t> asked;
  for (std::size_t q = 0; q < questions.size(); ++q) {
    if (questions[q].row.targets() == 0) continue;
    requests.push_back({questions[q].row, questions[q].soft, wanted[q]});
    asked.push_back(q);
  }
  std::vector<AnswerLikelihood> likelihoods(questions.size());
  const auto keep = [&](std::size_t i, const AnswerLikelihood& likelihood) {
    if (!std::isfinite(likelihood.nll)) {
      fail(ExitCode::kNumerics,
           {.what = "likelihood of a reference rationale and answer is not finite",
            .where = fmt::format("question {}", questions[asked[i]].record.id),
            .got = fmt::format("{}", likelihood.nll),
            .fix = "look into the weights: softcot inspect MODEL --check-finite"});
    }
    likelihoods[asked[i]] = likelihood;
  };
  answer_likelihoods(model, requests, batch_tokens, keep);
  return likelihoods;
}

}  // namespace

std::string prompt_hash(const Question& question) {
  const std::span prompt(question.row.ids.data(),
                         static_cast<std::size_t>(question.prompt_tokens()));
  return hash_bytes(std::as_bytes(prompt));
}

GenerationWork answer_questions(const SoftPromptModel& model, const Tokenizer& tokenizer,
                                const std::vector<Question>& questions,
                                const QuestionOptions& options,
                                const std::set<SampleKey>& completed,
                                const std::function<void(const Sample&)>& done) {
  std::vector<Pending> pending;
  std::vector<GenerationRequest> requests;
  for (std::size_t q = 0; q < questions.size(); ++q) {
    SoftRow row = questions[q].row;
    row.target_begin = questions[q].prompt_tokens();
    const SharedPrompt prompt = share_prompt(std::move(row));
    for (std::int64_t i = 0; i < options.seeds * options.samples; ++i) {
      if (completed.contains({questions[q].record.id, i})) continue;
      pending.push_back({q, i});
      const std::string& id = questions[q].record.id;
      requests.push_back({.prompt = prompt,
                          .soft = questions[q].soft,
                          .seed = options.seed + static_cast<std::uint64_t>(i / options.samples),
                          .question = options.one_noise_stream ? 0 : hash_number(id),
                          .sample = static_cast<std::uint64_t>(i % options.samples)});
    }
  }
  const auto likelihoods = score(model, questions, pending, options.batch_tokens);
  return generate(
      model, requests, options.generation, [&](std::size_t i, const Generation& generation) {
        const auto& item = pending[i];
        Sample sample = make_sample(questions[item.question], item.sample, generation, tokenizer);
        if (item.sample == 0 && questions[item.question].row.targets() > 0) {
          sample.answer_nll = likelihoods[item.question].nll;
          sample.target_tokens = likelihoods[item.question].targets;
        }
        done(sample);
      });
}

}  // namespace softcot
