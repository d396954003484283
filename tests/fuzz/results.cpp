// A results.json, and the tables that are made of it.
#include <nlohmann/json.hpp>

#include "evaluation/report.h"
#include "evaluation/report_run.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace softcot;
  fuzz::write("results.json", fuzz::text(data, size));
  fuzz::accepts([&] {
    const RunRecord run = read_run(fuzz::folder());
    format_table(*run.comparison);
    format_csv(*run.comparison);
    format_markdown(*run.comparison);
    results_to_json(*run.comparison, run.provenance);
    const std::string page = render_report(run, {.gnuplot = ""});
    fuzz::require(page.find("<script") == std::string::npos, "no text becomes a script");
  });
  return 0;
}
