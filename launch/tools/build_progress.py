#!/usr/bin/env python3
"""Reads a build's output and shows its progress and the time left; passes on all else.

usage: cmake --build … | build_progress.py LOG     with NINJA_STATUS='[%f/%t] '

On a terminal one line that renews itself, else a line at every tenth of the way. Everything read
is appended to LOG.
"""

import re
import sys
import time


def main(log_path):
    live = sys.stdout.isatty()
    start, tenth = time.monotonic(), 1
    with open(log_path, "a", encoding="utf-8") as log:
        for line in sys.stdin:
            log.write(line)
            log.flush()
            step = re.match(r"\[(\d+)/(\d+)\] ", line)
            if step is None:
                if not line.startswith("ninja: no work to do"):
                    print(("\r\033[K" if live else "") + line, end="", flush=True)
                continue
            done, total = int(step[1]), int(step[2])
            text = f"        {done} of {total} built"
            if done * 10 >= total:  # the first ones, made before all others, say nothing of the rest
                left = (time.monotonic() - start) * (total - done) / done
                text += f", about {minutes(left)} left"
            if live:
                print("\r\033[K" + text, end="", flush=True)
            elif total >= 10 and done * 10 >= tenth * total:
                tenth = done * 10 // total + 1
                print(text, flush=True)
    if live:
        print("\r\033[K", end="", flush=True)


def minutes(seconds):
    return f"{seconds:.0f} s" if seconds < 60 else f"{seconds / 60:.1f} min"


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
