"""Notices that WhatsApp itself writes in the name of a person: omitted media, deletions, calls.

iPhones mark them; Android, and copies that have lost the mark, do not. So this file lists their
texts in the languages of most users. An unknown notice stays a message.
"""

from __future__ import annotations

import re

#: The mark before a notice of an iPhone.
NOTICE_MARK = "\u200e"

_MEDIUM = (
    r"(?:an? )?(?:image|video(?: note)?|audio|voice message|sticker|gif|document|contact card|media"
    r"|bild|dokument|kontaktkarte|medien|imagen|documento|tarjeta de contacto|vídeo|vidéo|áudio"
    r"|imagem|figurinha|cartão do contato|immagine|scheda contatto|afbeelding|contactkaart)"
)
_OMITTED = (
    r"(?:omitted|weggelassen|ausgelassen|ausgeschlossen|omitid[oa]s?|ocultad[oa]s?|absente?|omise?s?"
    r"|retirée?|manquante?|omess[oae]|esclus[oa]|non inclus[oa]|weggelaten)"
)
_NOTICES = (
    r"<[^<>\n]{3,200}>",  # <Media omitted>, <attached: 1.jpg>, in any language
    f"{_MEDIUM} {_OMITTED}",
    r"null",
    r"[\w ]{3,30}: https://maps\.google\.com/\S+",
    # English
    r"this message was deleted\.?",
    r"you deleted this message\.?",
    r"(?:missed|silenced) (?:group )?(?:voice|video) call\b.{0,40}",
    r"(?:voice|video) call(?:[,.] .{1,40})?",
    r"waiting for this message\..{0,60}",
    r"live location shared",
    # German
    r"diese nachricht wurde gelöscht\.?",
    r"du hast diese nachricht gelöscht\.?",
    r"verpasster (?:sprach|video|gruppen)anruf\b.{0,40}",
    r"(?:sprach|video)anruf(?:[,.] .{1,40})?",
    # Spanish
    r"se eliminó este mensaje\.?",
    r"(?:este mensaje fue eliminado|eliminaste este mensaje)\.?",
    r"(?:video)?llamada (?:de voz )?perdida\b.{0,40}",
    # French
    r"ce message a été supprimé\.?",
    r"vous avez supprimé ce message\.?",
    r"appel (?:vocal|vidéo) manqué\b.{0,40}",
    # Italian
    r"questo messaggio è stato eliminato\.?",
    r"hai eliminato questo messaggio\.?",
    r"(?:video)?chiamata (?:vocale )?persa\b.{0,40}",
    # Portuguese
    r"mensagem apagada\.?",
    r"(?:ess|est)a mensagem foi apagada\.?",
    r"(?:você )?apagou esta mensagem\.?",
    r"chamada de (?:voz|vídeo) perdida\b.{0,40}",
    # Dutch
    r"dit bericht is verwijderd\.?",
    r"(?:u|je) hebt dit bericht verwijderd\.?",
    r"gemiste (?:spraak|video)oproep\b.{0,40}",
)
_NOTICE = re.compile("|".join(_NOTICES), re.IGNORECASE)
#: A long sentence about encryption is from the app.
_ENCRYPTED = re.compile(
    r"(?=.{60}).*(?:end-to-end|ende-zu-ende|extremo a extremo|bout en bout|ponta a ponta)",
    re.IGNORECASE,
)
#: `IMG-1.jpg (file attached)`, in any language; a caption is on the lines below.
_ATTACHED = re.compile(r"[^\n]{1,200}\.\w{2,5} \([^()\n]{3,40}\)(?:\n|$)")
#: `<This message was edited>`, `<attached: 1.jpg>` after a text.
_TRAILING_NOTICE = re.compile(r"\u200e?<[^<>\n]{3,60} [^<>\n]{1,200}>$")


def without_notices(text: str) -> str:
    """Returns the part of a message that a person wrote; empty if the app wrote it."""
    if text.startswith(NOTICE_MARK):
        return ""
    text = _TRAILING_NOTICE.sub("", text)
    text = _ATTACHED.sub("", text, count=1) if _ATTACHED.match(text) else text
    is_notice = _NOTICE.fullmatch(text.strip()) or _ENCRYPTED.match(text)
    return "" if is_notice else text.strip()
