"""How often subtitles are read in their right encoding, by the number of cues in the file.

    pip install charset-normalizer
    python -m benchmarks.encodings

Real subtitles in twelve languages are cut into short files, written in the encodings that their
language is found in, and read again. Right is what gives the very text back. Beside ours stand
the detectors alone, with nothing told about subtitles.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import chardet
from charset_normalizer import from_bytes

from training.files.encodings import decode
from training.recipe_file import data_folder

CUES = (1, 3, 10, 50)
FILES_EACH = 12
#: Language -> its files and the encodings they are written in.
LANGUAGES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "English": (("films/*.en.srt", "tv/*.srt"), ("cp1252", "utf-16-le")),
    "French": (("encodings/film-utf-8.fr.srt",), ("cp1252", "iso8859-15", "utf-16-be")),
    "German": (("german.srt",), ("cp1252", "iso8859-15", "utf-16-le")),
    "Spanish": (("spanish.srt",), ("cp1252", "iso8859-15")),
    "Swedish": (("film-pairs/elephants-dream/sv.vtt",), ("cp1252",)),
    "Danish": (("encodings/utf-8-bom.da.srt",), ("cp1252",)),
    "Croatian": (("encodings/windows-1250.hr.srt",), ("cp1250", "iso8859-2", "utf-16-le")),
    "Russian": (
        ("encodings/utf-8-bom.ru.srt", "russian.srt"),
        ("cp1251", "koi8-r", "iso8859-5", "utf-16-le"),
    ),
    "Arabic": (("film-pairs/elephants-dream/ar.vtt",), ("cp1256", "utf-16-le")),
    "Chinese": (("**/*zh-Hans.srt", "chinese.srt"), ("gb18030", "utf-16-le", "utf-32-le")),
    "Chinese, traditional": (("**/*zh-Hant.srt",), ("big5hkscs", "cp950", "utf-16-be")),
    "Japanese": (("films/*.ja.srt", "**/ja.vtt"), ("cp932", "euc_jp", "utf-16-le")),
}
Detector = Callable[[bytes], str]


def ours(content: bytes) -> str:
    return decode(content)[0]


def chardet_alone(content: bytes) -> str:
    return content.decode(chardet.detect(content, compat_names=False)["encoding"] or "ascii")


def charset_normalizer_alone(content: bytes) -> str:
    return str(from_bytes(content).best())


DETECTORS: tuple[Detector, ...] = (ours, chardet_alone, charset_normalizer_alone)


def cut_files(patterns: tuple[str, ...], encoding: str, cues: int) -> Iterator[tuple[str, bytes]]:
    """Yields texts of so many cues and their bytes; none that is also ASCII or UTF-8."""
    draw = random.Random(f"{patterns} {encoding} {cues}")
    texts = [decode(file.read_bytes())[0] for file in _files(patterns)]
    for _ in range(FILES_EACH):
        blocks = draw.choice(texts).replace("\r\n", "\n").strip().split("\n\n")
        start = draw.randrange(max(1, len(blocks) - cues))
        text = "\n\n".join(blocks[start : start + cues]) + "\n"
        content = text.encode(encoding, errors="ignore")  # characters that the code page lacks
        if encoding.startswith("utf") or not _is_utf8(content):
            yield content.decode(encoding), content


def _files(patterns: tuple[str, ...]) -> list[Path]:
    real, talks = data_folder() / "real-subtitles", data_folder() / "talk-subtitles"
    found = [file for each in patterns for file in sorted(real.glob(each))]
    return found or [file for each in patterns for file in sorted(talks.glob(f"*/{each}"))[:8]]


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_right(detector: Detector, content: bytes, text: str) -> bool:
    try:
        return detector(content) == text
    except (UnicodeDecodeError, LookupError, ValueError):
        return False


def main() -> None:
    right: Counter[tuple[str, int]] = Counter()
    files: Counter[int] = Counter()
    print(f"| language | encoding | {' | '.join(f'{cues} cues' for cues in CUES)} |")
    print("|---" * (2 + len(CUES)) + "|")
    for language, (patterns, encodings) in LANGUAGES.items():
        for encoding in encodings:
            cells = []
            for cues in CUES:
                cut = list(cut_files(patterns, encoding, cues))
                for detector in DETECTORS:
                    count = sum(_is_right(detector, content, text) for text, content in cut)
                    right[detector.__name__, cues] += count
                    if detector is ours:
                        cells.append(f"{count}/{len(cut)}")
                files[cues] += len(cut)
            print(f"| {language} | {encoding} | {' | '.join(cells)} |")
    print(f"\n| | {' | '.join(f'{cues} cues' for cues in CUES)} |")
    print("|---" * (1 + len(CUES)) + "|")
    for detector in DETECTORS:
        shares = (f"{right[detector.__name__, cues] / files[cues]:.1%}" for cues in CUES)
        print(f"| {detector.__name__.replace('_', ' ')} | {' | '.join(shares)} |")


if __name__ == "__main__":
    main()
