#pragma once

#include "launch/command.h"

namespace softcot {

// One file each, of the same name. Every function reads its own options, so that
// `softcot COMMAND --help` is complete, and returns what the process is to exit with.

ExitCode run_augment(Invocation& invocation);
ExitCode run_bench(Invocation& invocation);
ExitCode run_compare(Invocation& invocation);
ExitCode run_doctor(Invocation& invocation);
ExitCode run_export(Invocation& invocation);
ExitCode run_generate(Invocation& invocation);
ExitCode run_inspect(Invocation& invocation);
ExitCode run_evaluate(Invocation& invocation);
ExitCode run_plan(Invocation& invocation);
ExitCode run_precompute(Invocation& invocation);
ExitCode run_preview(Invocation& invocation);
ExitCode run_report(Invocation& invocation);
ExitCode run_score(Invocation& invocation);
ExitCode run_sweep(Invocation& invocation);
ExitCode run_train(Invocation& invocation);
ExitCode run_tokenize(Invocation& invocation);

}  // namespace softcot
