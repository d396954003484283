#!/usr/bin/env python3
"""usage: build/venv/bin/python launch/bench/growth.py PROGRAM MODEL DATA [--svg FILE] [--rounds 3] [--dtype bfloat16]

How the cost of a training step grows: measures PROGRAM bench train (build/cpu/launch/softcot) on
questions of DATA (GSM8K's train.jsonl) while one of batch, row length, N, ranks and the model's width
grows, ROUNDS times one after the other and again, and prints docs/performance.md's table: medians and
the exponent of a power law through them. With --svg draws them there with gnuplot. Takes some ten
minutes on two cores. Models of other widths than MODEL's are random, with its tokenizer.
"""
import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile

import random_model

LAYERS = 6  # of the random models
COLOURS = ["#1b7f5c", "#3a86c8", "#d98200", "#7a5195", "#c0392b"]


def write_narrower(folder, source, heads):
    """A random model of the source's kind with so many query heads, and its tokenizer."""
    with open(os.path.join(source, "config.json")) as file:
        config = json.load(file)
    head, query = config["head_dim"], config["num_attention_heads"]
    grouped = query // config["num_key_value_heads"]
    hidden, width = heads * head, config["intermediate_size"] * heads // query
    config.update(hidden_size=hidden, intermediate_size=width, num_attention_heads=heads,
                  num_key_value_heads=heads // grouped, num_hidden_layers=LAYERS)
    random_model.write_model(folder, config, source)


def write_long_rows(path, data, words):
    """The questions of `data` with answers of so many words."""
    with open(data) as file, open(path, "w") as out:
        for line in list(file)[:8]:
            record = json.loads(line)
            text = record["answer"].split("\n####")
            answer = (text[0] + " ").replace("\n", " ") * (words // len(text[0].split()) + 1)
            record["answer"] = " ".join(answer.split()[:words]) + "\n####" + text[1]
            out.write(json.dumps(record) + "\n")


class Point:
    """One call of bench train: where it stands on its axis, what one unit of its figure is."""

    def __init__(self, axis, x, options, ranks=1):
        self.axis, self.x, self.ranks = axis, x, ranks
        self.options, self.lines = options, []

    def measure(self, arguments):
        options = {"--model.path": arguments.model, "--data.file": arguments.data,
                   "--model.dtype": arguments.dtype, "--train.batch": "4", "--bench.rows": "12",
                   "--thoughts.count": "32", **self.options}
        call = [arguments.program, "bench", "train"]
        call += [word for option in options.items() for word in option]
        environment = dict(os.environ, OMPI_MCA_mpi_yield_when_idle="1",
                           OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
        if self.axis == "ranks":
            environment["OMP_NUM_THREADS"] = "1"
        if self.ranks > 1:
            call = ["mpirun", "-n", str(self.ranks), "--oversubscribe", "--bind-to", "none", *call]
        result = subprocess.run(call, capture_output=True, text=True, env=environment)
        if result.returncode != 0:
            sys.exit(result.stderr)
        self.lines.append(json.loads(result.stdout))

    def median(self, key):
        return statistics.median(line[key] for line in self.lines)

    def rows_per_second(self):
        return self.median("rows_per_second")

    def memory(self):
        """Of one rank above its weights, MB."""
        return 1e-6 * statistics.median(line["peak_memory_bytes"] - line["weight_bytes"]
                                        for line in self.lines)

    def cost(self):
        """Seconds of a step where the batch grows, else of a row."""
        return (self.x if self.axis == "batch" else 1) / self.rows_per_second()


def points(arguments, folder):
    found = [Point("batch", b, {"--train.batch": str(b), "--bench.rows": str(max(12, 3 * b))})
             for b in (1, 2, 4, 8, 16)]
    for words in (50, 150, 400, 1000):
        path = os.path.join(folder, f"{words}.jsonl")
        write_long_rows(path, arguments.data, words)
        found.append(Point("answer's words", words, {
            "--data.file": path, "--train.batch": "2", "--bench.rows": "6",
            "--data.max-length": "4096"}))
    found += [Point("N", n, {"--thoughts.count": str(n)}) for n in (8, 32, 128, 256)]
    found += [Point("ranks", r, {"--train.batch": "8", "--bench.rows": "24"}, r) for r in (1, 2)]
    for heads in (3, 6, 9, 18):
        path = os.path.join(folder, f"heads-{heads}")
        write_narrower(path, arguments.model, heads)
        found.append(Point("width", 64 * heads, {"--model.path": path}))
    return found


def exponent(points, value):
    """Of the power law through them, by least squares of the logarithms."""
    x = [math.log(p.x) for p in points]
    y = [math.log(value(p)) for p in points]
    x_mean, y_mean = statistics.mean(x), statistics.mean(y)
    return (sum((a - x_mean) * (b - y_mean) for a, b in zip(x, y)) /
            sum((a - x_mean) ** 2 for a in x))


def axes(points):
    found = {}
    for point in points:
        found.setdefault(point.axis, []).append(point)
    return found


def table(points):
    lines = ["| what grows | from … to | rows/s | seconds grow as | memory above the weights, MB "
             "| grows as |", "| --- " * 6 + "|"]
    for axis, group in axes(points).items():
        def listed(value, digits):
            return ", ".join(f"{value(p):.{digits}f}" for p in group)
        lines.append(f"| {axis} | {', '.join(str(p.x) for p in group)} "
                     f"| {listed(Point.rows_per_second, 2)} "
                     f"| {axis}^{exponent(group, Point.cost):.2f} "
                     f"| {listed(Point.memory, 0)} | {axis}^{exponent(group, Point.memory):.2f} |")
    return "\n".join(lines) + "\n"


def draw(path, points):
    """Seconds against what grows, both relative to the smallest."""
    groups = axes(points)
    data = "".join(
        f"$a{i} << EOD\n" + "".join(f"{p.x / group[0].x} {p.cost() / group[0].cost()}\n"
                                    for p in group) + "EOD\n"
        for i, group in enumerate(groups.values()))
    lines = ", ".join(
        f"$a{i} using 1:2 with linespoints lw 2 pt 7 ps 0.5 lc rgb \"{COLOURS[i]}\" "
        f"title \"{axis}: {exponent(group, Point.cost):.2f}\""
        for i, (axis, group) in enumerate(groups.items()))
    script = f"""set terminal svg size 760,420 font "sans-serif,12" background "white"
set output "{path}"
set logscale xy 2
set xlabel "times as much of what grows"
set ylabel "times the seconds"
set key left top Left reverse title "exponents"
set grid
{data}
plot [1:*] x with lines dt 2 lc "gray" title "in proportion", {lines}
"""
    subprocess.run(["gnuplot"], input=script, text=True, check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("model")
    parser.add_argument("data")
    parser.add_argument("--svg")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dtype", default="bfloat16", choices=["float32", "bfloat16"])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = points(arguments, folder)
        for turn in range(arguments.rounds):
            for i, point in enumerate(found):
                point.measure(arguments)
                print(f"{turn * len(found) + i + 1}/{arguments.rounds * len(found)} {point.axis} "
                      f"{point.x}: {point.lines[-1]['rows_per_second']:.2f} rows/s",
                      file=sys.stderr, flush=True)
    print(table(found))
    if arguments.svg:
        draw(arguments.svg, found)


if __name__ == "__main__":
    main()
