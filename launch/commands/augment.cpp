#include <fmt/format.h>

#include "data/asdiv_augment.h"
#include "data/asdiv_numbers.h"
#include "launch/commands/commands.h"
#include "launch/run/output_claim.h"
#include "launch/standard_output.h"

namespace softcot {
namespace {

std::string report_text(const AugmentReport& report, const std::filesystem::path& folder,
                        std::int64_t copies) {
  const auto left_out = [&](AsdivObstacle obstacle) {
    return report.obstacles[static_cast<std::size_t>(obstacle)];
  };
  const RedrawCounts& again = report.redraws;
  return fmt::format(
      "problems in the file            {}\n"
      "  with {} copies each            {}\n"
      "  left out, because\n"
      "    no arithmetic formula gives the answer, a number   {}\n"
      "    the formula uses a number that the text lacks      {}\n"
      "    the text may tie its numbers to each other         {}\n"
      "    no number of the text can be another               {}\n"
      "    too few different numbers make sense               {}\n"
      "copies drawn again, because\n"
      "    a result had another sign, or was 0                {}\n"
      "    a result was fractional, or finer than it had been {}\n"
      "    a result was not defined                           {}\n"
      "    the numbers changed their order of size            {}\n"
      "    a result became 1                                  {}\n"
      "    another copy had the same numbers                  {}\n"
      "written: {} to {}, {} to {}\n",
      report.problems, copies, report.used, left_out(AsdivObstacle::kFormula),
      left_out(AsdivObstacle::kUnexplained), left_out(AsdivObstacle::kTied),
      left_out(AsdivObstacle::kNoVariable), left_out(AsdivObstacle::kTooFew), again.negative,
      again.fractional, again.undefined, again.order, again.one, again.repeated, report.train,
      (folder / "train.jsonl").string(), report.test, (folder / "test.jsonl").string());
}

}  // namespace

ExitCode run_augment(Invocation& invocation) {
  std::filesystem::path file;
  std::filesystem::path out;
  AugmentOptions augment;
  OptionSet options("augment", "Make ASDiv-Aug: copies of ASDiv's problems with other numbers.");
  options.add("file", &file, "ASDiv 1.0, its XML file.").required = true;
  options.add("out", &out, "Folder for train.jsonl and test.jsonl; made when it is missing.")
      .required = true;
  options.add("seed", &augment.seed, "Decides all numbers and which problems are for testing.",
              any_number());
  options.add("copies", &augment.copies, "Copies of each problem.", at_least(1)).unit = "copies";
  options.add("test-share", &augment.test_share,
              "Share of the problems whose copies are for testing.", between(0, 1));
  options.set_notes(
      "Each copy has other numbers in the problem's own words, and the answer that the problem's "
      "own\n"
      "formula gives for them. All copies of a problem are on one side of the cut, as are problems "
      "that\n"
      "differ in their numbers only. The same file, seed and options make the same files. ASDiv "
      "is\n"
      "licensed CC BY-NC 4.0, and so is what is made of it: docs/benchmarks.md.");
  options.add_example("softcot augment --file ASDiv.xml --out data/asdiv-aug",
                      "then train with --task asdiv_aug --data.file data/asdiv-aug/train.jsonl");
  if (!invocation.read(options)) return ExitCode::kOk;
  const auto claim = OutputClaim::in_folder(out);
  if (!claim) return ExitCode::kOk;
  const AugmentReport report = augment_file(file, out, augment);
  write_standard_output(report_text(report, out, augment.copies));
  return ExitCode::kOk;
}

}  // namespace softcot
