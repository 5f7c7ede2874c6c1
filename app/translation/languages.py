"""Served languages: their names, and the detection of a text's language."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from model.language_id import base_of, predict
from model.text.normalise import normalise

#: Number of characters that suffice to identify the language of a text.
_MAX_CHARACTERS = 400
#: Number of likeliest languages that are considered.
_MAX_LANGUAGES = 176

#: English names of languages, by their ISO 639 codes.
_NAMES = dict(
    each.split("=")
    for each in """
    af=Afrikaans am=Amharic ar=Arabic az=Azerbaijani be=Belarusian bg=Bulgarian bn=Bengali
    bs=Bosnian ca=Catalan cs=Czech cy=Welsh da=Danish de=German el=Greek en=English eo=Esperanto
    es=Spanish et=Estonian eu=Basque fa=Persian fi=Finnish fr=French ga=Irish gl=Galician
    gu=Gujarati he=Hebrew hi=Hindi hr=Croatian hu=Hungarian hy=Armenian id=Indonesian is=Icelandic
    it=Italian ja=Japanese ka=Georgian kk=Kazakh km=Khmer kn=Kannada ko=Korean ky=Kyrgyz la=Latin
    lo=Lao lt=Lithuanian lv=Latvian mk=Macedonian ml=Malayalam mn=Mongolian mr=Marathi ms=Malay
    mt=Maltese my=Burmese nb=Norwegian ne=Nepali nl=Dutch nn=Nynorsk no=Norwegian pa=Punjabi
    pl=Polish ps=Pashto pt=Portuguese ro=Romanian ru=Russian si=Sinhala sk=Slovak sl=Slovenian
    sq=Albanian sr=Serbian sv=Swedish sw=Swahili ta=Tamil te=Telugu tg=Tajik th=Thai tl=Tagalog
    tr=Turkish uk=Ukrainian ur=Urdu uz=Uzbek vi=Vietnamese yi=Yiddish zh=Chinese
    """.split()
)


def name_of(language: str) -> str:
    """Returns the English name of a language, or its code if the name is unknown."""
    return _NAMES.get(base_of(language), language)


def match_language(language: str, served: Collection[str]) -> str | None:
    """Returns the served language with a code, else one with the same base language, else None."""
    if language in served:
        return language
    return next((each for each in served if base_of(each) == base_of(language)), None)


def detect(text: str, served: Sequence[str]) -> list[tuple[str, float]]:
    """Returns the served languages by how likely a text is in them, the likeliest first, with
    probabilities that sum to 1, or are all 0 if it is in none of them."""
    line = normalise(text[:_MAX_CHARACTERS])  # the model does not know decomposed characters
    found = predict(line.lower() if line.isupper() else line, _MAX_LANGUAGES) if line else []
    likely = {language: probability for probability, language in found}
    scores = [(each, likely.get(base_of(each), 0.0)) for each in dict.fromkeys(served)]
    total = sum(score for _, score in scores)
    ranked = sorted(scores, key=lambda each: -each[1])
    return [(each, score / total if total else 0.0) for each, score in ranked]
