"""Scripts of letters, and those without spaces between words."""

from __future__ import annotations

import re
import unicodedata

#: Characters of the latter, for character classes: South-East Asian scripts, Chinese characters and
#: kana.
UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u312f\u31a0-\u4dbf\u4e00-\ua4cf\uf900-\ufaff"
    "\uff66-\uff9f\U00020000-\U0003ffff"
)
_UNSPACED_CHARACTER = re.compile(f"[{UNSPACED}]")


def is_unspaced(text: str) -> bool:
    """Tells whether a text has words without spaces between them, as in Chinese."""
    return bool(_UNSPACED_CHARACTER.search(text))


def script_of_letter(letter: str) -> str:
    """Returns the script of a letter, as its Unicode name begins: `LATIN`, `CJK`; "" if it has
    none."""
    return unicodedata.name(letter, "").partition(" ")[0]
