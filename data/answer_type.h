#pragma once

namespace softcot {

/// What kind of thing answers a benchmark's questions.
enum class AnswerType {
  kNumber,  ///< An exact decimal or a fraction.
  kChoice,  ///< One letter, A to Z.
  kYesNo,   ///< "yes" or "no".
  kText,    ///< Anything else, compared without regard to case and white space.
};

}  // namespace softcot
