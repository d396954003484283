#!/usr/bin/env python3
"""usage: launch/tools/scaling.py PROGRAM [SVG]

Asks PROGRAM (build/cpu/launch/softcot) for plans of 1 to 1,024 GPUs and prints the tables of
docs/scaling.md; with SVG, draws them there with gnuplot. Nothing is measured: it is the model of
`softcot plan` with the defaults that its --help names.
"""
import json
import subprocess
import sys

GPUS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]
LLAMA_8B = ["--model", "Llama-3.1-8B", "--assistant", "Llama-3.2-1B"]
COLOURS = ["#1b7f5c", "#3a86c8", "#d98200", "#7a5195"]
LLAMA_70B = ["--model", "Llama-3.1-70B", "--assistant", "Llama-3.2-1B"]


class Series:
    """One line of the plot: a job whose batch is a function of the GPUs."""

    def __init__(self, name, options, batch):
        self.name, self.options, self.batch = name, options, batch

    def plan(self, program, gpus):
        call = [program, "plan", *self.options, "--gpus", str(gpus), "--json",
                "--batch", str(self.batch(gpus))]
        result = subprocess.run(call, capture_output=True, text=True)
        plan = json.loads(result.stdout)
        if "choice" not in plan:
            return None
        chosen = [l for l in plan["layouts"] if l["tp"] == plan["choice"]["tp"]][0]
        return {"batch": plan["batch"], **chosen}


SERIES = [
    Series("SoftCoT, 8B, 16 rows a GPU", [*LLAMA_8B, "--dtype", "bfloat16"], lambda g: 16 * g),
    Series("SoftCoT, 8B, batch 1,024", [*LLAMA_8B, "--dtype", "bfloat16"], lambda g: 1024),
    Series("SoftCoT, 70B, 16 rows a GPU", [*LLAMA_70B, "--dtype", "bfloat16"], lambda g: 16 * g),
    Series("all weights, 8B, float32, 16 rows a GPU",
           [*LLAMA_8B, "--dtype", "float32", "--method", "full"], lambda g: 16 * g),
]


def table(series, plans):
    base = next((p["rows_per_second"] / g for g, p in plans if p), 1)
    lines = [f"**{series.name}**", "",
             "| GPUs | layout | batch | memory, GB | compute, ms | tp sums | dp sums | update "
             "| rows/s | efficiency |", "| --- " * 10 + "|"]
    for gpus, p in plans:
        if not p:
            lines.append(f"| {gpus} | does not fit |" + " |" * 8)
            continue
        ms = {k: 1e3 * v for k, v in p["seconds"].items()}
        lines.append(
            f"| {gpus:,} | tp {p['tp']} × dp {p['dp']} | {p['batch']:,} "
            f"| {p['peak_memory_bytes'] / 1e9:.1f} | {ms['compute']:,.0f} | {ms['tp_all_reduce']:,.1f} "
            f"| {ms['dp_all_reduce']:,.1f} | {ms['update']:,.1f} | {p['rows_per_second']:,.1f} "
            f"| {100 * p['rows_per_second'] / gpus / base:.0f} % |")
    return "\n".join(lines) + "\n"


def draw(path, results):
    data = "".join(
        f"$s{i} << EOD\n" +
        "".join(f"{g} {p['rows_per_second']}\n" for g, p in plans if p) + "EOD\n"
        for i, (_, plans) in enumerate(results))
    lines = ", ".join(
        f"$s{i} using 1:2 with linespoints lw 2 pt 7 ps 0.5 lc rgb \"{COLOURS[i]}\" title \"{series.name}\""
        for i, (series, _) in enumerate(results))
    first = next(p["rows_per_second"] / g for g, p in results[0][1] if p)
    script = f"""set terminal svg size 760,460 font "sans-serif,12" background "white"
set output "{path}"
set logscale xy
set xtics ({", ".join(f'"{g:,}" {g}' for g in GPUS)})
set xrange [0.9:1150]
set xlabel "GPUs"
set ylabel "rows a second"
set key left top Left reverse
set grid
{data}
plot {first} * x with lines dt 2 lc "gray" title "in proportion", {lines}
"""
    subprocess.run(["gnuplot"], input=script, text=True, check=True)


def main(arguments):
    if not 1 <= len(arguments) <= 2 or arguments[0] in ("-h", "--help"):
        print(__doc__)
        return 0 if arguments[:1] in (["-h"], ["--help"]) else 2
    results = [(s, [(g, s.plan(arguments[0], g)) for g in GPUS]) for s in SERIES]
    for series, plans in results:
        print(table(series, plans))
    if len(arguments) == 2:
        draw(arguments[1], results)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
