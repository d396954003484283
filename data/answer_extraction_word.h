#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace softcot {

/// Choices and yes or no in plain text (plain_text of answer_extraction_text.h).

/// What may stand around an answer without belonging to it.
inline constexpr std::string_view kAnswerWrapping = " \n*_:\"`'[(,;$";

/// The letter as an answer: a capital.
std::optional<std::string> choice_of(char letter);

/// The letter a claim begins with, else the one it has in brackets; nothing if it has several.
std::optional<std::string> claimed_choice(std::string_view claim);

/// The last letter in brackets or capital that stands alone and is no article or pronoun.
std::optional<std::string> last_choice(std::string_view text);

/// The last letter of which the text says "B is correct" or the like.
std::optional<std::string> last_called_choice(std::string_view text);

/// "yes" or "no", also for true or false: what a claim begins with, else the only one it has,
/// unless it also says "not".
std::optional<std::string> claimed_yes_no(std::string_view claim);

/// Whether "no" before a noun ("no evidence") is an answer.
enum class Determiners { kSkipped, kCounted };
std::optional<std::string> last_yes_no(std::string_view text, Determiners determiners);

}  // namespace softcot
