#include "data/record.h"

#include "runtime/error.h"

namespace softcot {

std::string_view answer_type_name(AnswerType type) {
  switch (type) {
    case AnswerType::kNumber:
      return "number";
    case AnswerType::kChoice:
      return "choice";
    case AnswerType::kYesNo:
      return "yes_no";
    case AnswerType::kText:
      return "text";
  }
  return "";
}

AnswerType answer_type_of(std::string_view name, const std::string& where) {
  for (const AnswerType type :
       {AnswerType::kNumber, AnswerType::kChoice, AnswerType::kYesNo, AnswerType::kText}) {
    if (answer_type_name(type) == name) return type;
  }
  fail(ExitCode::kInput, {.what = "unknown type of answer",
                          .where = where,
                          .expected = "number, choice, yes_no or text",
                          .got = std::string(name)});
}

}  // namespace softcot
