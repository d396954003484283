#include <fmt/format.h>

#include <iterator>
#include <nlohmann/json.hpp>

#include "launch/commands/commands.h"
#include "launch/machine/machine_survey.h"
#include "launch/standard_output.h"
#include "runtime/counted.h"
#include "runtime/json_file.h"
#include "runtime/launcher.h"
#include "runtime/process_world.h"

namespace softcot {
namespace {

std::string_view state_name(Finding::State state) {
  switch (state) {
    case Finding::State::kGood:
      return "ok";
    case Finding::State::kAbsent:
      return "absent";
    case Finding::State::kProblem:
      return "problem";
  }
  return "";
}

std::string as_json(const std::vector<Finding>& findings) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Finding& finding : findings) {
    list.push_back({{"topic", finding.topic},
                    {"state", state_name(finding.state)},
                    {"value", finding.value},
                    {"meaning", finding.meaning},
                    {"remedy", finding.remedy}});
  }
  return json_text(list) + "\n";
}

std::string as_table(const std::vector<Finding>& findings) {
  std::string out;
  int problems = 0;
  for (const Finding& finding : findings) {
    problems += finding.state == Finding::State::kProblem ? 1 : 0;
    out +=
        fmt::format("{:<8} {:<20} {}\n", state_name(finding.state), finding.topic, finding.value);
    if (!finding.meaning.empty()) out += fmt::format("{:<29} → {}\n", "", finding.meaning);
    if (!finding.remedy.empty()) out += fmt::format("{:<29} → try: {}\n", "", finding.remedy);
  }
  if (problems == 0) return out + "\nThis machine can run softcot.\n";
  return out + fmt::format("\n{} to look at before a long run.\n", counted(problems, "problem"));
}

}  // namespace

ExitCode run_doctor(Invocation& invocation) {
  bool json = false;
  OptionSet options("doctor", "Say what this machine has, what is missing and how to get it.");
  options.add("json", &json, "Print one JSON list instead of the table.");
  options.add_example("softcot doctor", "this process alone");
  options.add_example("mpirun -n 2 softcot doctor", "whether MPI ranks find one another");
  if (!invocation.read(options)) return ExitCode::kOk;

  // What srun has started without MPI can be looked at as well, each process by itself.
  const int ranks = launched_by_mpi() ? invocation.world().size() : 1;
  const int rank = launched_by_mpi() ? invocation.world().rank() : 0;
  std::vector<Finding> findings = survey_machine();
  for (std::vector<Finding>& part : std::vector{survey_libraries(ranks), survey_gpus()}) {
    findings.insert(findings.end(), part.begin(), part.end());
  }
  if (rank == 0) write_standard_output(json ? as_json(findings) : as_table(findings));
  return ExitCode::kOk;
}

}  // namespace softcot
