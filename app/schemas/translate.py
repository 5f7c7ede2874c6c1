"""Bodies of LibreTranslate's protocol. Its clients send unknown fields, and numbers as strings."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.schemas.openai import Texts


class TranslateRequest(BaseModel):
    """One or more texts and their languages."""

    model_config = ConfigDict(frozen=True)

    q: Texts = Field(description="a text, or a list of texts", examples=["How are you?"])
    source: str = Field(
        "auto", description="language of the text; auto: detect it", examples=["en"]
    )
    target: str = Field(description="the language to translate into", examples=["de"])
    format: Literal["text", "html"] = Field(
        "text", description="html: tags are kept, around the same words"
    )
    alternatives: int = Field(0, ge=0, description="number of further translations to return")
    with_attention: bool = Field(
        False, description="also return the attention of each word of the translation"
    )
    api_key: str | None = Field(None, description="API key, if the server requires one")


class Detection(BaseModel):
    """A language that a text may be in."""

    confidence: float = Field(description="percent")
    language: str


class AttendingSentence(BaseModel):
    """A sentence, its translation, and the attention between their words."""

    source: str
    target: str
    source_words: list[tuple[int, int]] = Field(
        description="start and end of each word in `source`"
    )
    target_words: list[tuple[int, int]] = Field(
        description="start and end of each word in `target`"
    )
    attention: list[list[float]] | None = Field(
        None,
        description="weights of each word of `target` over the words of `source`; only if known",
    )


class TranslateAnswer(BaseModel):
    """The translation; lists if `q` is a list."""

    translatedText: str | list[str]
    detectedLanguage: Detection | list[Detection] | None = Field(
        None, description="only if `source` is auto"
    )
    alternatives: list[str] | list[list[str]] | None = Field(
        None, description="only on request; fewer than requested if the search found fewer"
    )
    sentences: list[AttendingSentence] | None = Field(
        None, description="only with `with_attention`: the sentences of all texts"
    )


class DetectRequest(BaseModel):
    """A text."""

    model_config = ConfigDict(frozen=True)

    q: str
    api_key: str | None = None


class Language(BaseModel):
    """A source language and its target languages."""

    code: str
    name: str
    targets: list[str]


class TranslateFileRequest(BaseModel):
    """The languages of a file, which is another field."""

    model_config = ConfigDict(frozen=True)

    source: str = "auto"
    target: str
    stream: bool = Field(False, description="stream the progress as events")
    api_key: str | None = None


class TranslateFileAnswer(BaseModel):
    """URL of the translated file."""

    translatedFileUrl: str


class Progress(BaseModel):
    """Number of translated sentences of a file, and of all its sentences."""

    done: int
    total: int


class TextError(BaseModel):
    """An error."""

    error: str = Field(description="a sentence for people")


class FrontendSettings(BaseModel):
    """Settings that LibreTranslate's web page reads."""

    apiKeys: bool = False
    charLimit: int
    filesTranslation: bool = True
    frontendTimeout: int = 500
    keyRequired: bool = False
    language: dict[str, dict[str, str]]
    suggestions: bool = False
    supportedFilesFormat: list[str]


class Health(BaseModel):
    """State of a running server."""

    status: Literal["ok"] = "ok"


def openapi_form_body(model: type[BaseModel]) -> dict[str, Any]:
    """Returns the OpenAPI description of a body that may be JSON or a form."""
    schema = model.model_json_schema()
    kinds = ("application/json", "application/x-www-form-urlencoded", "multipart/form-data")
    return {"requestBody": {"content": {kind: {"schema": schema} for kind in kinds}}}


def openapi_file_body(model: type[BaseModel]) -> dict[str, Any]:
    """Returns the OpenAPI description of a form with a `file` and the fields of `model`."""
    schema = model.model_json_schema()
    schema["properties"]["file"] = {"type": "string", "format": "binary"}
    schema["required"].append("file")
    return {"requestBody": {"content": {"multipart/form-data": {"schema": schema}}}}
