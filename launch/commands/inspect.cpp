#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "launch/commands/commands.h"
#include "launch/inspect/folder_report.h"
#include "launch/json_lines.h"
#include "launch/run/output_claim.h"
#include "launch/standard_output.h"

namespace softcot {

ExitCode run_inspect(Invocation& invocation) {
  std::filesystem::path folder;
  InspectDepth depth;
  bool json = false;
  OptionSet options("inspect",
                    "Show and verify a cache, checkpoint, model or run, or a folder of such.");
  options.add_argument("PATH", &folder, "The folder.").required = true;
  options.add("verify", &depth.verify,
              "Check everything: hashes of caches and checkpoints, shapes of a model's weights.");
  options.add("check-finite", &depth.check_finite,
              "Look for NaN and infinity in a model's weights.");
  options.add("repair", &depth.repair,
              "Remove what --verify finds damaged in caches and runs, so that the next precompute, "
              "train --resume, evaluate or sweep makes only that again.");
  options.add("json", &json, "Print one JSON object instead of the table.");
  options.set_notes(
      "Exit status: 0 sound or repaired · 2 no such folder, or in use · 3 model, results or "
      "samples\n"
      "damaged · 4 cache damaged · 5 checkpoint damaged. Without --verify only what is cheap to "
      "read "
      "is\n"
      "looked at.\n"
      "A damaged model cannot be repaired here: get its files again.");
  options.add_example("softcot inspect models/SmolLM2-135M-Instruct --verify", "is it all there?");
  options.add_example("softcot inspect runs/quickstart", "what a run left behind");
  options.add_example("softcot inspect runs/sweep-smollm2 --verify",
                      "everything that a sweep has made");
  options.add_example("softcot inspect caches/thoughts-N32-0123456789ab --repair",
                      "drop what a bad disk has changed");
  if (!invocation.read(options)) return ExitCode::kOk;
  depth.verify = depth.verify || depth.repair;
  if (depth.repair && claimed_by_another_rank(folder)) return ExitCode::kOk;

  const FolderReport report = report_folder(folder, depth);
  if (json) {
    nlohmann::ordered_json object = {{"kind", report.kind}, {"path", folder.string()}};
    for (const auto& [name, value] : report.facts) {
      if (name == kRemoved) {
        object[name].push_back(value);
      } else {
        object[name] = value;
      }
    }
    write_json_line(object);
    return ExitCode::kOk;
  }
  std::string table = fmt::format("{:<20} {}\n", report.kind, folder.string());
  for (const auto& [name, value] : report.facts) table += fmt::format("{:<20} {}\n", name, value);
  write_standard_output(table);
  return ExitCode::kOk;
}

}  // namespace softcot
