#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace softcot {

/// How an answer is read and compared.
enum class AnswerType { kNumber, kChoice, kYesNo, kText };

/// "number", "choice", "yes_no", "text".
std::string_view answer_type_name(AnswerType type);
/// @throws Error kInput naming `where` if it is none of the four.
AnswerType answer_type_of(std::string_view name, const std::string& where);

/// One question of a benchmark with its reference. All texts are valid UTF-8.
struct Record {
  std::string id;                            ///< Unique in its file, the same on every read.
  std::string question;                      ///< Not empty.
  std::vector<std::string> rationale_steps;  ///< None of them empty; may be none at all.
  std::string answer;                        ///< Not empty; numbers without thousands separators.
  AnswerType type = AnswerType::kText;
  std::vector<std::string> choices;  ///< Of kChoice, in order: answer A is the first.
};

}  // namespace softcot
