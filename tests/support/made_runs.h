#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "evaluation/study.h"

namespace softcot::test {

/// Text that would end a script, begin one, leave an attribute, a table's cell, or UTF-8.
inline constexpr const char* kHostile =
    "</script><script>document.title='taken'</script><img src=x onerror=alert(1)> \" ' & | _ % "
    "\xff";

/// A run folder as `train` and `evaluate` leave it, without either.
struct Made {
  std::string method = "softcot";
  std::string title = "SoftCoT";
  double nll = 1.2;      ///< Per token.
  int right_of_ten = 4;  ///< Questions answered right.
  std::string task = "gsm8k";
  std::string trained_on = "gsm8k";
  Settings options = {};  ///< Of evaluate.cfg and config.cfg.
  int questions = 20;
  std::int64_t assistant = 0;    ///< Parameters; 0 where there is none.
  std::string words = kHostile;  ///< In question, answer and prompt of the fourth question.
};

void make_run(const std::filesystem::path& folder, const Made& made);

Made zero_shot();
/// SoftCoT with these settings.
Made with(const Settings& options, double nll = 1.2);

/// A sweep over N in training and evaluation, assistants and two tasks; one cell failed, one
/// missing.
void make_sweep(const std::filesystem::path& folder);

}  // namespace softcot::test
