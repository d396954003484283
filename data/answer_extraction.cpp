#include "data/answer_extraction.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "data/answer_extraction_announcement.h"
#include "data/answer_extraction_number.h"
#include "data/answer_extraction_text.h"
#include "data/answer_extraction_value.h"
#include "data/answer_extraction_word.h"

namespace softcot {
namespace {

using Answer = std::optional<std::string>;

std::string collapsed(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool space = c == ' ' || c == '\n' || c == '\t' || (c >= kBoxOpen && c <= kFormulaClose);
    if (!space) out += c;
    if (space && !out.empty() && out.back() != ' ') out += ' ';
  }
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

Answer claimed_text(std::string_view claim) {
  constexpr std::string_view kDress = "*_\"`'$ \n";
  const std::size_t begin = claim.find_first_not_of(kDress);
  if (begin == std::string_view::npos) return std::nullopt;
  claim = claim.substr(begin, claim.find_last_not_of(kDress) + 1 - begin);
  if (claim.size() > 1 && claim.back() == '.') claim.remove_suffix(1);
  std::string text = collapsed(claim);
  return text.empty() ? std::nullopt : Answer(std::move(text));
}

Answer last_line(std::string_view text) {
  const std::size_t end = text.find_last_not_of(" \n");
  if (end == std::string_view::npos) return std::nullopt;
  const std::size_t begin = text.rfind('\n', end);
  return claimed_text(text.substr(begin == std::string_view::npos ? 0 : begin + 1, end - begin));
}

// In a box a '!' is a factorial.
Answer claimed(AnswerType type, std::string_view claim, bool boxed) {
  switch (type) {
    case AnswerType::kNumber:
      return claimed_number(claim, boxed);
    case AnswerType::kChoice:
      return claimed_choice(claim);
    case AnswerType::kYesNo:
      return claimed_yes_no(claim);
    case AnswerType::kText:
      return claimed_text(claim);
  }
  return std::nullopt;
}

// A text that is nothing but the answer: "42", "$1,000.", "(B)", "Yes.".
Answer bare_answer(AnswerType type, std::string_view plain) {
  const std::size_t begin = plain.find_first_not_of(kAnswerWrapping);
  if (begin == std::string_view::npos) return std::nullopt;
  std::string_view body = plain.substr(begin, plain.find_last_not_of(" \n*_\"`'.)]!$") + 1 - begin);
  if (type == AnswerType::kNumber) {
    const std::size_t start = begin > 0 && plain[begin - 1] == '$' ? begin - 1 : begin;
    // "($3)", as accounts write a loss.
    if (start < begin && start > 0 && plain[start - 1] == '(') return std::nullopt;
    const auto number = next_number(plain, start);
    const bool whole = number && number->begin == start && number->end >= begin + body.size() &&
                       char_at(plain, number->end) != '!';
    return whole ? Answer(number->value) : std::nullopt;
  }
  if (type == AnswerType::kChoice)
    return body.size() == 1 && is_letter(body[0]) ? choice_of(body[0]) : std::nullopt;
  if (type == AnswerType::kYesNo) {
    return claimed_yes_no(body).has_value() && body.find(' ') == std::string_view::npos
               ? claimed_yes_no(body)
               : std::nullopt;
  }
  return std::nullopt;
}

Answer strict_answer(AnswerType type, std::string_view plain) {
  std::vector<Announcement> announcements = find_announcements(plain);
  for (; !announcements.empty(); announcements.pop_back()) {
    const Announcement& last = announcements.back();
    if (Answer answer = claimed(type, last.claim, last.kind == Announcement::Kind::kBox))
      return answer;
  }
  if (type == AnswerType::kChoice) {
    if (Answer answer = last_called_choice(plain)) return answer;
  }
  return bare_answer(type, plain);
}

Answer flexible_answer(AnswerType type, std::string_view plain) {
  if (Answer answer = strict_answer(type, plain)) return answer;
  switch (type) {
    case AnswerType::kNumber:
      return last_number(plain);
    case AnswerType::kChoice:
      return last_choice(plain);
    case AnswerType::kYesNo:
      return last_yes_no(plain, Determiners::kSkipped);
    case AnswerType::kText:
      return last_line(plain);
  }
  return std::nullopt;
}

// The text up to the line in which a model, its answer given, asks itself another question. Lines
// that ask with no answer before them restate the question.
std::string_view before_next_question(AnswerType type, std::string_view plain) {
  for (std::size_t at = 0; at < plain.size();) {
    const std::size_t next = next_question(plain, at);
    const std::string_view before = plain.substr(at, next - at);
    if (next < plain.size() && (strict_answer(type, before) ||
                                (surely_asks(plain, next) && flexible_answer(type, before))))
      return plain.substr(0, next);
    at = next;
  }
  return plain;
}

// The last run of digits with at most one decimal point, after dropping "," "%" and "$": no sign.
Answer reference_number(std::string_view raw) {
  std::string text;
  std::copy_if(raw.begin(), raw.end(), std::back_inserter(text),
               [](char c) { return c != ',' && c != '%' && c != '$'; });
  Answer last;
  for (std::size_t i = 0; i < text.size();) {
    if (!is_digit(text[i])) {
      ++i;
      continue;
    }
    std::size_t end = i;
    while (is_digit(char_at(text, end))) ++end;
    if (char_at(text, end) == '.' && is_digit(char_at(text, end + 1))) {
      ++end;
      while (is_digit(char_at(text, end))) ++end;
    }
    last = text.substr(i, end - i);
    i = end;
  }
  if (!last) return last;
  const auto normal = next_number(*last, 0);
  return normal ? Answer(normal->value) : std::nullopt;
}

// The last letter a to f, in either case, that stands alone: the article "a" counts.
Answer reference_choice(std::string_view raw) {
  Answer last;
  const auto word = [&](std::size_t at) {
    const char c = char_at(raw, at);
    return is_letter(c) || is_digit(c) || c == '_';
  };
  for (std::size_t i = 0; i < raw.size(); ++i) {
    const bool letter = is_letter(raw[i]) && lower(raw[i]) <= 'f';
    if (letter && (i == 0 || !word(i - 1)) && !word(i + 1)) last = choice_of(raw[i]);
  }
  return last;
}

Answer reference_answer(AnswerType type, std::string_view raw) {
  switch (type) {
    case AnswerType::kNumber:
      return reference_number(raw);
    case AnswerType::kChoice:
      return reference_choice(raw);
    case AnswerType::kYesNo:
      return last_yes_no(raw, Determiners::kCounted);
    case AnswerType::kText:
      return flexible_answer(type, plain_text(raw));
  }
  return std::nullopt;
}

std::string folded(std::string_view text) {
  std::string out = collapsed(text);
  std::transform(out.begin(), out.end(), out.begin(), lower);
  while (!out.empty() && std::string_view(".!").find(out.back()) != std::string_view::npos)
    out.pop_back();
  return out;
}

// An answer as a data set writes it, in normal form: nothing else may be read in it.
Answer normal_form(AnswerType type, std::string_view answer) {
  const std::string plain = plain_text(answer);
  if (type == AnswerType::kNumber) {
    const auto only = next_number(plain, 0);
    if (!only || next_number(plain, only->end)) return std::nullopt;
  }
  const Answer form = claimed(type, plain, true);
  return type == AnswerType::kText ? Answer(folded(form.value_or(std::string(answer)))) : form;
}

}  // namespace

std::string_view extractor_name(Extractor extractor) {
  switch (extractor) {
    case Extractor::kStrict:
      return "strict";
    case Extractor::kFlexible:
      return "flexible";
    case Extractor::kReference:
      return "reference";
  }
  return "";
}

std::optional<std::string> extract_answer(Extractor extractor, AnswerType type,
                                          std::string_view text) {
  if (extractor == Extractor::kReference) return reference_answer(type, text);
  const std::string whole = plain_text(text);
  const std::string_view plain = before_next_question(type, whole);
  return extractor == Extractor::kStrict ? strict_answer(type, plain)
                                         : flexible_answer(type, plain);
}

bool answers_equal(AnswerType type, std::string_view left, std::string_view right) {
  const Answer a = normal_form(type, left);
  const Answer b = normal_form(type, right);
  if (!a || !b) return false;
  return type == AnswerType::kNumber ? same_value(*a, *b) : *a == *b;
}

bool can_be_matched(AnswerType type, std::string_view reference) {
  const std::string stated = "The final answer is: $\\boxed{" + std::string(reference) + "}$.";
  const Answer read = extract_answer(Extractor::kStrict, type, stated);
  return read && answers_equal(type, *read, reference);
}

}  // namespace softcot
