"""`prepare` that is killed again and again, and whether it ends with the bytes of one left alone.

    python -m benchmarks.resume --lines 1000000 --kills 12

The corpus is that of `benchmarks.prepare`. The signal is SIGKILL, to the command and all its
workers, after a random share of the time that an undisturbed run takes for one of so many parts.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.prepare import write_corpus
from model.engine.cores import usable_cores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--kills", type=int, default=12)
    parser.add_argument("--workers", type=int, default=usable_cores())
    chosen = parser.parse_args()
    draw = random.Random(0)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_corpus(folder, chosen.lines)
        command = [sys.executable, "-m", "training", "prepare", str(folder / "recipe.toml")]
        command += ["--workers", str(chosen.workers)]
        alone = run(command, None)
        expected = sums(folder / "run" / "data")
        shutil.rmtree(folder / "run")
        killed, seconds = 0, 0.0
        for _ in range(chosen.kills):
            took = run(command, draw.uniform(0.5, 1.5) * alone / chosen.kills)
            seconds += took
            killed += not (folder / "run" / "data" / "report.html").exists()
        seconds += run(command, None)
        found = sums(folder / "run" / "data")
    print("| lines | alone, s | killed | in all, s | files | equal |")
    print("|---|---|---|---|---|---|")
    equal = sum(found.get(name) == digest for name, digest in expected.items())
    print(
        f"| {chosen.lines:,} | {alone:.0f} | {killed} times | {seconds:.0f} "
        f"| {len(expected | found)} | {equal} |"
    )


def run(command: list[str], limit: float | None) -> float:
    """Runs a command to its end, or to its violent one after `limit` seconds. Returns how long."""
    start = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        process.wait(limit)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    else:
        if process.returncode:
            raise SystemExit(f"{' '.join(command)}: failed")
    return time.perf_counter() - start


def sums(folder: Path) -> dict[str, str]:
    """Returns the sha256 of every file."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {
        str(path.relative_to(folder)): hashlib.file_digest(path.open("rb"), "sha256").hexdigest()
        for path in files
    }


if __name__ == "__main__":
    main()
