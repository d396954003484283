#pragma once

#include <string>

#include "runtime/error.h"

namespace softcot {

/// Refuses a model for a feature that would change its numbers and is not built. Throws kInput.
[[noreturn]] inline void unsupported(const std::string& where, const std::string& what,
                                     const std::string& got, const std::string& expected) {
  fail(ExitCode::kInput,
       {.what = "this model uses " + what + " that softcot does not compute",
        .where = where,
        .expected = expected,
        .got = got,
        .fix = "use a Llama 3, Qwen2.5 or SmolLM2 model, or see docs/adding-a-model.md"});
}

}  // namespace softcot
