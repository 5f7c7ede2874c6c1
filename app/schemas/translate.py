"""Bodies of LibreTranslate's protocol. Its clients send unknown fields, and numbers as strings."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.schemas.openai import Texts


class TranslateRequest(BaseModel):
    """A text, or several, and the languages."""

    model_config = ConfigDict(frozen=True)

    q: Texts = Field(description="a text, or a list of texts", examples=["How are you?"])
    source: str = Field("auto", description="its language; auto: detect it", examples=["en"])
    target: str = Field(description="the language to translate into", examples=["de"])
    format: Literal["text", "html"] = Field(
        "text", description="html: tags stay, and go round the words that they were round"
    )
    alternatives: int = Field(0, ge=0, description="number of further translations to return")
    with_attention: bool = Field(
        False, description="also return what each word of the translation attends to"
    )
    api_key: str | None = Field(None, description="a key, where the server needs one")


class Detection(BaseModel):
    """A language that a text may be in."""

    confidence: float = Field(description="percent")
    language: str


class AttendingSentence(BaseModel):
    """A sentence, its translation, and the attention between their words."""

    source: str
    target: str
    source_words: list[tuple[int, int]] = Field(description="start and end of each in `source`")
    target_words: list[tuple[int, int]] = Field(description="start and end of each in `target`")
    attention: list[list[float]] | None = Field(
        description="of each word of `target` on each word of `source`; null where it is unknown"
    )


class TranslateAnswer(BaseModel):
    """The translation; lists where `q` is a list."""

    translatedText: str | list[str]
    detectedLanguage: Detection | list[Detection] | None = Field(
        None, description="only with the source auto"
    )
    alternatives: list[str] | list[list[str]] | None = Field(
        None, description="only where they were asked for; fewer where the search found fewer"
    )
    sentences: list[AttendingSentence] | None = Field(
        None, description="only with `with_attention`; those of all texts"
    )


class DetectRequest(BaseModel):
    """A text."""

    model_config = ConfigDict(frozen=True)

    q: str
    api_key: str | None = None


class Language(BaseModel):
    """A language that texts may be in, and those that they can be translated into."""

    code: str
    name: str
    targets: list[str]


class TranslateFileAnswer(BaseModel):
    """Where the translated file is."""

    translatedFileUrl: str


class Progress(BaseModel):
    """Sentences of a file that are translated, and all of them."""

    done: int
    total: int


class TextError(BaseModel):
    """An error."""

    error: str = Field(description="a sentence for people")


class FrontendSettings(BaseModel):
    """What a page for this server needs to know."""

    apiKeys: bool = False
    charLimit: int
    filesTranslation: bool = True
    frontendTimeout: int = 500
    keyRequired: bool = False
    language: dict[str, dict[str, str]]
    suggestions: bool = False
    supportedFilesFormat: list[str]


class Health(BaseModel):
    """The server runs."""

    status: Literal["ok"] = "ok"


def form_of(model: type[BaseModel]) -> dict[str, Any]:
    """Returns the OpenAPI description of a body that may be JSON or a form."""
    schema = model.model_json_schema()
    kinds = ("application/json", "application/x-www-form-urlencoded", "multipart/form-data")
    return {"requestBody": {"content": {kind: {"schema": schema} for kind in kinds}}}
