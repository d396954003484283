#!/usr/bin/env python3
"""usage: launch/tools/suite_curves.py OUT >curves.svg

Draws the trainings of a suite that `softcot compare --out OUT` has run: for each cell the loss of
every step (thin) and the held-out loss before and after it (marked), against the step. Needs
gnuplot.
"""
import json
import pathlib
import subprocess
import sys

COLOURS = ["#4477aa", "#ee6677", "#228833", "#aa3377", "#66ccee", "#bbaa00", "#777777", "#000000"]


def read(cell):
    loss, heldout = [], []
    for line in (cell / "metrics.jsonl").read_text().splitlines():
        step = json.loads(line)
        if "loss" in step:
            loss.append((step["step"], step["loss"]))
        if "heldout_loss" in step:
            heldout.append((step["step"], step["heldout_loss"]))
    return loss, heldout


def main():
    if len(sys.argv) != 2 or sys.argv[1] in ("-h", "--help"):
        sys.exit(__doc__)
    cells = sorted(path.parent for path in pathlib.Path(sys.argv[1]).glob("*/metrics.jsonl"))
    if not cells:
        sys.exit(f"error: no trainings below {sys.argv[1]}; give the --out of softcot compare")
    blocks, plots = [], []
    for number, cell in enumerate(cells):
        colour = COLOURS[number % len(COLOURS)]
        title = cell.name.replace("_", " ").replace("-", " ")
        for points, look in zip(read(cell), ("lines lw 1 dt 3", "linespoints pt 7 ps 0.5 lw 2")):
            name = f"$data{len(blocks)}"
            rows = "\n".join(f"{step} {value}" for step, value in points)
            blocks.append(f"{name} << EOD\n{rows}\nEOD")
            shown = f'title "{title}"' if "pt 7" in look else "notitle"
            plots.append(f'{name} with {look} lc rgb "{colour}" {shown}')
    script = "\n".join(blocks) + f"""
set terminal svg size 760,560 font "sans-serif,13" background rgb "white"
set xlabel "step"
set ylabel "nats per token: training (dotted), held out (marked)"
set key below maxcols 2
set grid lc rgb "#dddddd"
plot {", ".join(plots)}
"""
    subprocess.run(["gnuplot"], input=script, text=True, check=True)


if __name__ == "__main__":
    main()
