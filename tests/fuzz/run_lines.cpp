// Lines of a run folder: the first byte says of which file, metrics, samples, work or prompts.
#include "evaluation/prompt_log.h"
#include "evaluation/report.h"
#include "evaluation/report_run.h"
#include "evaluation/work_log.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace softcot;
  if (size == 0) return 0;
  const std::string_view lines = fuzz::text(data, size).substr(1);
  switch (data[0] % 4) {
    case 0:
      fuzz::write("metrics.jsonl", lines);
      fuzz::accepts([&] { render_report(read_run(fuzz::folder()), {.gnuplot = ""}); });
      break;
    case 1: {
      const auto path = fuzz::write("samples.jsonl", lines);
      fuzz::accepts([&] {
        const std::vector<MethodSamples> methods = {{"softcot", "SoftCoT", read_samples(path)}};
        compare_methods(methods, {.bootstrap = {.resamples = 1}});
      });
      break;
    }
    case 2: {
      const auto path = fuzz::write("work.jsonl", lines);
      fuzz::accepts([&] { read_work(path); });
      break;
    }
    default: {
      const auto path = fuzz::write("prompts.jsonl", lines);
      fuzz::accepts([&] { read_prompts(path); });
    }
  }
  return 0;
}
