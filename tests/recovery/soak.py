#!/usr/bin/env python3
"""usage: tests/recovery/soak.py MINUTES OUT [BUILD]

Trains and evaluates tiny models for so many minutes and looks every few seconds whether memory, open
files and threads stay flat: a third of the time in one training, a third in one evaluation, a sixth
in a training of two ranks, a sixth in a loop of precompute, train, evaluate and report.

  OUT    a new folder; it gets samples.csv, soak.svg (with gnuplot) and logs
  BUILD  the build folder whose programs are copied to OUT and run; build/cpu by default

Ends with 1 if a long process has grown between the second tenth of its life and the last: memory by
more than a twentieth, open files or threads at all; or if an unfinished file is left behind."""

import collections
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import time

Sample = collections.namedtuple("Sample", "seconds phase process resident_kib peak_kib files threads")
LONG = ("train", "evaluate", "train-ranks")


def processes_of(session):
    """Ids of the softcot processes of a session."""
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            name, _, rest = (folder / "stat").read_text().partition("(")[2].rpartition(")")
            if name == "softcot" and int(rest.split()[3]) == session:
                yield int(folder.name)
        except (OSError, IndexError, ValueError):
            continue  # ended meanwhile


def look_at(process, seconds, phase):
    folder = pathlib.Path(f"/proc/{process}")
    status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
    number = {key: int(status[key].split()[0]) for key in ("VmRSS", "VmHWM", "Threads")}
    files = len(os.listdir(folder / "fd"))
    return Sample(seconds, phase, process, number["VmRSS"], number["VmHWM"], files, number["Threads"])


class Soak:
    def __init__(self, minutes, out, build):
        self.out = out
        self.seconds = 60 * minutes
        self.every = 10 if minutes >= 30 else 1
        self.begun = time.monotonic()
        self.samples = []
        out.mkdir()
        (out / "tmp").mkdir()
        for program in ("launch/softcot", "tests/support/tiny_project"):
            shutil.copy(build / program, out)
        self.csv = open(out / "samples.csv", "w", buffering=1)
        self.csv.write(",".join(Sample._fields) + "\n")
        os.environ.update(OMP_NUM_THREADS="1", TMPDIR=str(out / "tmp"), OMPI_ALLOW_RUN_AS_ROOT="1",
                          OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", OMPI_MCA_mpi_yield_when_idle="1")
        subprocess.run([out / "tiny_project", out / "project", "200", "4000"], check=True)

    def now(self):
        return time.monotonic() - self.begun

    def say(self, text):
        print(f"[{self.now():7.0f} s] {text}", flush=True)

    def start(self, phase, command, *options, ranks=0):
        call = ["mpirun", "-n", str(ranks), "--oversubscribe", "--bind-to", "none"] if ranks else []
        call += [self.out / "softcot", command]
        if command != "report":
            call += ["--config", self.out / "project/project.cfg", "--thoughts.cache", self.out / "caches"]
        log = open(self.out / f"{phase}.log", "a")
        return subprocess.Popen(call + list(options), stdout=log, stderr=log, start_new_session=True)

    def sample(self, job, phase):
        for process in processes_of(job.pid):
            try:
                sample = look_at(process, round(self.now(), 1), phase)
            except (OSError, KeyError):
                continue  # ended meanwhile
            self.samples.append(sample)
            self.csv.write(",".join(map(str, sample)) + "\n")

    def run(self, phase, command, *options):
        job = self.start(phase, command, *options)
        while job.poll() is None:
            time.sleep(0.5)
            self.sample(job, phase)
        if job.returncode != 0:
            sys.exit(f"{phase}: {command} ended with {job.returncode}, see {self.out / phase}.log")

    def run_for(self, seconds, phase, command, *options, ranks=0):
        """A command that would go on for ever."""
        end = self.now() + seconds
        job = self.start(phase, command, *options, ranks=ranks)
        while self.now() < end and job.poll() is None:
            time.sleep(self.every)
            self.sample(job, phase)
        early = job.poll() is not None
        job.send_signal(signal.SIGUSR1)
        self.say(f"{phase}: ended with {job.wait()}" + (" BEFORE ITS TIME" if early else ""))
        return not early

    def training(self, phase, share, ranks=0):
        return self.run_for(self.seconds * share, phase, "train", "--run.folder", self.out / phase,
                            "--train.steps", "100000000", "--train.batch", "32",
                            "--train.checkpoint-every", "50", "--train.keep", "3",
                            "--train.eval-every", "200", "--data.eval-limit", "100", ranks=ranks)

    def all_phases(self):
        short = ("--data.eval-limit", "100")
        self.run("begin", "precompute")
        self.run("begin", "precompute", *short)
        self.say("thoughts are cached")
        lasted = self.training("train", 1 / 3)
        run = ("--run.folder", self.out / "evaluate")
        self.run("begin", "train", *run)
        lasted &= self.run_for(self.seconds / 3, "evaluate", "evaluate", *run, "--evaluate.samples",
                               "20", "--evaluate.temperature", "1", "--max-new-tokens", "256")
        lasted &= self.training("train-ranks", 1 / 6, ranks=2)
        end, rounds = self.now() + self.seconds / 6, 0
        run, report = ("--run.folder", self.out / "round"), self.out / "report"
        while self.now() < end:
            for folder in ("caches", "round", "report"):
                shutil.rmtree(self.out / folder, ignore_errors=True)
            for command in ("precompute", "train", "evaluate"):
                self.run("loop", command, *short, *(() if command == "precompute" else run))
            self.run("loop", "report", self.out / "round", "--out", report)
            rounds += 1
        self.say(f"loop: {rounds} rounds of four commands")
        return lasted

    def is_flat(self, phase):
        own = [s for s in self.samples if s.phase == phase]
        own = [s for s in own if s.process == own[0].process]
        if len(own) < 20:
            return False
        tenth = len(own) // 10
        early, late = own[tenth:2 * tenth], own[-tenth:]
        pairs = [[statistics.median(getattr(s, field) for s in part) for part in (early, late)]
                 for field in ("resident_kib", "files", "threads")]
        memory, files, threads = pairs
        print(f"{phase}: {len(own)} samples, {memory[0] / 1024:.1f} → {memory[1] / 1024:.1f} MiB, "
              f"{files[0]:.0f} → {files[1]:.0f} open files, {threads[0]:.0f} → {threads[1]:.0f} threads")
        return memory[1] <= 1.05 * memory[0] and files[1] <= files[0] and threads[1] <= threads[0]

    def draw(self):
        def panel(label, field, divisor):
            data, lines = "", []
            for i, phase in enumerate((*LONG, "loop")):
                points = [s for s in self.samples if s.phase == phase]
                points = points[:: max(1, len(points) // 200)]
                data += f"${field}{i} << EOD\n" + "".join(
                    f"{s.seconds / 60:.2f} {getattr(s, field) / divisor:.1f}\n" for s in points) + "EOD\n"
                lines.append(f'${field}{i} with points pt 7 ps 0.15 title "{phase}"')
            return f'{data}set ylabel "{label}"\nplot {", ".join(lines)}\n'
        script = f"""set terminal svg size 820,620 font "sans-serif,12" background "white"
set output "{self.out / 'soak.svg'}"
set multiplot layout 3,1
set grid
set yrange [0:*]
set offsets 0, 0, graph 0.05, 0
set key outside right
{panel("resident MiB", "resident_kib", 1024)}
{panel("open files", "files", 1)}
set xlabel "minutes"
{panel("threads", "threads", 1)}
"""
        subprocess.run(["gnuplot"], input=script, text=True, check=True)


def main(arguments):
    if len(arguments) not in (2, 3) or arguments[0] in ("-h", "--help"):
        print(__doc__)
        return 0 if arguments[:1] in (["-h"], ["--help"]) else 2
    here = pathlib.Path(__file__).resolve().parent
    build = pathlib.Path(arguments[2]) if len(arguments) == 3 else here / "../../build/cpu"
    soak = Soak(float(arguments[0]), pathlib.Path(arguments[1]).absolute(), build.resolve())
    passed = soak.all_phases()
    for phase in LONG:
        passed &= soak.is_flat(phase)
    left = [path for path in soak.out.rglob("*.tmp")]
    print(f"{len(left)} unfinished files left", *left)
    if shutil.which("gnuplot"):
        soak.draw()
    return 0 if passed and not left else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
