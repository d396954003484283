#!/usr/bin/env python3
"""usage: launch/tools/plan_times.py PROGRAM MODEL DATA [ROUNDS]

Holds the time model of `softcot plan --device cpu` to this machine: measures training steps of MODEL
on questions of DATA with PROGRAM bench at 1 to 4 ranks, ROUNDS times (2) one layout after another,
and prints docs/scaling.md's table beside what PROGRAM plans for the same rows. The plan is given the
peak that each run found for itself (gemm_flops) and no other measurement of it.
"""
import json
import os
import statistics
import subprocess
import sys

LAYOUTS = [(1, 1), (1, 2), (3, 1), (1, 4)]  # tp, dp: SmolLM2-135M has 9 query heads
BATCH, ROWS = 8, 24


def call(command, ranks=1):
    environment = dict(os.environ, OMPI_MCA_mpi_yield_when_idle="1",
                       OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    if ranks > 1:
        command = ["mpirun", "-n", str(ranks), "--oversubscribe", "--bind-to", "none", *command]
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    if result.returncode != 0:
        sys.exit(result.stderr)
    return json.loads(result.stdout)


def measure(program, job, tp, dp):
    run = call([program, "bench", "train", *job, "--bench.rows", str(ROWS),
                "--parallel.tp", str(tp)], tp * dp)
    plan = call([program, "plan", *job, "--device", "cpu", "--ranks", str(tp * dp), "--json",
                 "--data.limit", str(ROWS),
                 "--plan.tflops", str(tp * dp * run["gemm_flops"] / 1e12)])
    layout = next(l for l in plan["layouts"] if l["tp"] == tp)
    return {"measured": BATCH / run["rows_per_second"], "peak": tp * dp * run["gemm_flops"],
            "parts": run["seconds"], "steps": run["steps"],
            "planned": layout["step_seconds"], "seconds": layout["seconds"]}


def main(arguments):
    if arguments[:1] in (["-h"], ["--help"]) or not 3 <= len(arguments) <= 4:
        print(__doc__)
        return 0 if arguments[:1] in (["-h"], ["--help"]) else 2
    program, model, data = arguments[:3]
    rounds = int(arguments[3]) if len(arguments) == 4 else 2
    job = ["--model", model, "--data.file", data, "--batch", str(BATCH), "--thoughts", "32",
           "--dtype", "float32"]
    found = {layout: [] for layout in LAYOUTS}
    for _ in range(rounds):
        for layout in LAYOUTS:
            found[layout].append(measure(program, job, *layout))
            print(layout, json.dumps(found[layout][-1]), file=sys.stderr)
    print("| layout | peak, GFLOP/s | planned compute, s | tp sums | step | measured step, s "
          "| planned / measured |", "| --- " * 7 + "|", sep="\n")
    for (tp, dp), runs in found.items():
        mean = lambda key: statistics.mean(key(run) for run in runs)
        measured = [run["measured"] for run in runs]
        ratios = [run["planned"] / run["measured"] for run in runs]
        print(f"| tp {tp} × dp {dp} | {mean(lambda r: r['peak']) / 1e9:.0f} "
              f"| {mean(lambda r: r['seconds']['compute']):.2f} "
              f"| {mean(lambda r: r['seconds']['tp_all_reduce']):.2f} "
              f"| {mean(lambda r: r['planned']):.2f} "
              f"| {min(measured):.2f} – {max(measured):.2f} "
              f"| {min(ratios):.2f} – {max(ratios):.2f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
