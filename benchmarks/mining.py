"""Exchanges that `mine` finds in rendered film subtitles, against what was said in them.

    python -m benchmarks.mining

An exchange is right if its last context turn and its reply are, to the letter.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from itertools import pairwise

from training.recipe_file import data_folder
from training.subtitles.mine import Exchange, MiningOptions, mine


def main() -> None:
    folder = data_folder() / "film-subtitles"
    wanted, found, right = 0, 0, 0
    list(mine([str(folder / "film-000.srt")], MiningOptions()))  # loads what is loaded once
    start = time.process_time()
    size = 0
    print("| film | exchanges | precision | recall |\n|---|---|---|---|")
    for line in (folder / "truth.jsonl").read_text(encoding="utf-8").splitlines():
        film = json.loads(line)
        truth = Counter(exchange for scene in film["scenes"] for exchange in pairwise(scene))
        mined = Counter(
            (each.context[-1], each.reply)
            for each in mine([str(folder / film["file"])], MiningOptions())
            if isinstance(each, Exchange)
        )
        common = (truth & mined).total()
        wanted, found, right = wanted + truth.total(), found + mined.total(), right + common
        size += (folder / film["file"]).stat().st_size
        if common < 0.98 * truth.total():
            print(
                f"| {film['file']} | {truth.total()} | {common / mined.total():.3f} | "
                f"{common / truth.total():.3f} |"
            )
    seconds = time.process_time() - start
    print(f"| all | {wanted:,} | {right / found:.3f} | {right / wanted:.3f} |")
    print(f"\n{size / 2**20 / seconds:.2f} MiB of subtitles a second on one core")


if __name__ == "__main__":
    main()
