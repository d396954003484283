#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "launch/plan/choice.h"

namespace softcot {

/// What a plan is about, in words.
struct PlanTitle {
  std::string model, assistant;
  std::string rows;  ///< Where row lengths come from.
};

/// Tables of memory and time by part, the choice, and what was assumed. `choice` is empty when
/// nothing fits.
std::string plan_text(const PlanTitle& title, const Workload& work, const Machine& machine,
                      const std::vector<Layout>& layouts, const std::optional<Choice>& choice);

/// The same as one object: bytes and seconds.
nlohmann::ordered_json plan_json(const PlanTitle& title, const Workload& work,
                                 const Machine& machine, const std::vector<Layout>& layouts,
                                 const std::optional<Choice>& choice);

}  // namespace softcot
