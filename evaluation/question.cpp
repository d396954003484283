#include "evaluation/question.h"

#include <span>

#include "evaluation/answer_likelihood.h"
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

std::vector<AnswerLikelihood> score(const SoftPromptModel& model,
                                    const std::vector<Question>& questions,
                                    const std::vector<Pending>& pending,
                                    std::int64_t batch_tokens) {
  std::vector<LikelihoodRequest> requests;
  std::vector<std::size_t> asked;
  for (const auto& item : pending) {
    if (item.sample != 0 || questions[item.question].row.targets() == 0) continue;
    requests.push_back({questions[item.question].row, questions[item.question].soft});
    asked.push_back(item.question);
  }
  std::vector<AnswerLikelihood> likelihoods(questions.size());
  answer_likelihoods(model, requests, batch_tokens,
                     [&](std::size_t i, const AnswerLikelihood& l) { likelihoods[asked[i]] = l; });
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
    for (std::int64_t i = 0; i < options.seeds * options.samples; ++i) {
      if (completed.contains({questions[q].record.id, i})) continue;
      pending.push_back({q, i});
      const std::string& id = questions[q].record.id;
      requests.push_back({.prompt = questions[q].row,
                          .soft = questions[q].soft,
                          .seed = options.seed + static_cast<std::uint64_t>(i / options.samples),
                          .question = options.one_noise_stream ? 0 : hash_number(id),
                          .sample = static_cast<std::uint64_t>(i % options.samples)});
      requests.back().prompt.target_begin = questions[q].prompt_tokens();
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
