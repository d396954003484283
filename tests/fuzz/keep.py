"""Adds to a committed corpus the small inputs that reach most code that it does not reach yet:

    python3 tests/fuzz/keep.py PROGRAM KEPT FOUND

PROGRAM is a target with libFuzzer. KEPT grows to at most 40 files, each new one of at most 400 bytes,
chosen greedily out of FOUND by how many new edges of the program it reaches.
"""

import pathlib
import shutil
import subprocess
import sys
import tempfile

MOST_FILES = 40
MOST_BYTES = 400


def edges(program, folders):
    """The edges that each file of `folders` reaches, by path."""
    with tempfile.TemporaryDirectory() as temporary:
        control = pathlib.Path(temporary) / "control"
        merged = pathlib.Path(temporary) / "merged"
        merged.mkdir()
        command = [program, "-set_cover_merge=1", f"-merge_control_file={control}", merged, *folders]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        lines = control.read_text().splitlines()
    files = [pathlib.Path(line) for line in lines[2 : 2 + int(lines[0])]]
    reached = {}
    for line in lines:
        words = line.split()
        if words and words[0] == "FT":  # features: an edge and how often it was taken, in 8 steps
            reached[files[int(words[1])]] = {int(feature) // 8 for feature in words[2:]}
    return reached


def main():
    program, kept, found = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    with tempfile.TemporaryDirectory() as small:
        for file in found.iterdir():
            if file.stat().st_size <= MOST_BYTES:
                shutil.copy(file, small)
        reached = edges(program, [kept, small])
        seen = set().union(*(each for file, each in reached.items() if file.parent == kept))
        rest = {file: each for file, each in reached.items() if file.parent != kept}
        for _ in range(MOST_FILES - len(list(kept.iterdir()))):
            best = max(rest, key=lambda file: (len(rest[file] - seen), -file.stat().st_size), default=None)
            if best is None or not rest[best] - seen:
                break
            seen |= rest.pop(best)
            shutil.copy(best, kept)
        print(f"{kept.name}: {len(list(kept.iterdir()))} files kept, which reach {len(seen)} edges; all reach",
              len(set().union(*reached.values())))


if __name__ == "__main__":
    main()
