"""LibreTranslate's protocol: `/translate`, `/detect`, `/languages`, `/translate_file` and more."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from app.decoding.registry import ModelRegistry
from app.decoding.served_model import ServedModel, deadline
from app.errors import InvalidField
from app.forms import file_of, read_fields, validate
from app.http_errors import Fault
from app.routing import (
    JsonRoute,
    cancel_on_disconnect,
    charge_units,
    json_response,
    models_of,
    settings_of,
)
from app.schemas.error import error_responses
from app.schemas.translate import (
    AttendingSentence,
    Detection,
    DetectRequest,
    FrontendSettings,
    Health,
    Language,
    Progress,
    TextError,
    TranslateAnswer,
    TranslateFileAnswer,
    TranslateFileRequest,
    TranslateRequest,
    openapi_file_body,
    openapi_form_body,
)
from app.security import require_key
from app.settings import Settings
from app.streaming import EVENT_STREAM, EventStream, SendEvent, event
from app.telemetry import record_usage
from app.translation.concurrency import map_concurrently
from app.translation.encodings import decode
from app.translation.files import FileStore
from app.translation.html_text import HtmlText
from app.translation.languages import detect, match_language, name_of
from app.translation.layout import Translation
from app.translation.plain_text import PlainText
from app.translation.subtitles import FORMATS, format_of, parse_file
from app.translation.texts import TranslatedText, translate_file, translate_text
from app.translation.translator import Translator
from app.translation.words import word_spans

#: Number of characters of a file that suffice to detect its language.
_DETECTED_CHARACTERS = 400
_PROGRESS_SECONDS = 0.5

#: Minimum confidence with which a text must be detected as already in the target language to be
#: returned unchanged. Of 1,100 English sentences of three to six words, none reaches it as German;
#: of German ones, 97 % do.
MIN_CONFIDENCE = 0.9

#: Called with the number of finished sentences and of all sentences.
OnProgress = Callable[[int, int], None]

#: Characters whose translation costs as much as a plain request.
CHARACTERS_PER_UNIT = 200

RESPONSES = error_responses(TextError, {400: "The request is invalid."})


router = APIRouter(tags=["translate"])
text_router = APIRouter(tags=["translate"], route_class=JsonRoute)


@router.get("/languages", response_model=list[Language])
async def languages(request: Request) -> list[Language]:
    """Returns the source languages, each with its target languages."""
    pairs = _translators(models_of(request))
    return [
        Language(
            code=code,
            name=name_of(code),
            targets=[target for source, target in pairs if source == code],
        )
        for code in dict.fromkeys(source for source, _ in pairs)
    ]


@text_router.get("/translate", include_in_schema=False)
@text_router.post(
    "/translate",
    responses=RESPONSES,
    response_model=TranslateAnswer,
    openapi_extra=openapi_form_body(TranslateRequest),
)
async def translate(request: Request) -> Response:
    """Translates a text, or each text of a list. Texts of any length are translated sentence by
    sentence; addresses, placeholders, numbers and markup are kept."""
    fields = await read_fields(request)
    require_key(request.scope, fields.get("api_key"))
    body = validate(TranslateRequest, fields)
    settings = settings_of(request)
    async with deadline(settings.request_timeout_seconds):
        answer = await cancel_on_disconnect(
            request.receive, _translated(request, body, models_of(request), settings)
        )
    return json_response(answer)


async def _translated(
    request: Request, body: TranslateRequest, models: ModelRegistry, settings: Settings
) -> TranslateAnswer:
    texts = [body.q] if isinstance(body.q, str) else body.q
    if len(texts) > settings.max_batch:
        raise InvalidField("q", f"must have at most {settings.max_batch} texts on this server")
    if body.alternatives >= settings.max_beam_size:
        raise InvalidField("alternatives", f"must be at most {settings.max_beam_size - 1}")
    await _charge(request, texts, 1 + body.alternatives)
    detections = [_detection(text, body.source, body.target, models) for text in texts]
    parse = HtmlText if body.format == "html" else PlainText
    served = {
        language: await _model(models, language, body.target)
        for language in dict.fromkeys(each.language for each in detections)
        if not _is_translated(language, body.target, models)
    }
    translators = {
        language: Translator(model, settings, source=language, with_attention=body.with_attention)
        for language, model in served.items()
    }

    async def translate_one(index: int) -> TranslatedText:
        translator = translators.get(detections[index].language)
        if translator is None:  # the text is already in the target language
            return TranslatedText([texts[index]], [])
        return await translate_text(translator, texts[index], parse, alternatives=body.alternatives)

    ranked = await map_concurrently(translate_one, len(texts), len(texts))
    for language, translator in translators.items():
        _record(request, served[language], translator)
    best = [each.texts[0] for each in ranked]
    others = [[*dict.fromkeys(each.texts)][1:] for each in ranked]
    sentences = [_attending(*each) for found in ranked for each in found.sentences]
    detected = detections if body.source == "auto" else None
    is_list = isinstance(body.q, list)
    return TranslateAnswer(
        translatedText=best if is_list else best[0],
        detectedLanguage=detected if is_list or not detected else detected[0],
        alternatives=None if not body.alternatives else others if is_list else others[0],
        sentences=sentences if body.with_attention else None,
    )


def _attending(source: str, translation: Translation) -> AttendingSentence:
    attention = translation.attention
    return AttendingSentence(
        source=source,
        target=translation.text,
        source_words=list(word_spans(source)),
        target_words=list(word_spans(translation.text)),
        attention=attention and [[round(each, 3) for each in row] for row in attention],
    )


async def _charge(request: Request, texts: Sequence[str], times: int = 1) -> None:
    """Charges the client for the translation of `texts`."""
    units = sum(max(1.0, len(text) / CHARACTERS_PER_UNIT) for text in texts)
    await charge_units(request, units * times)


def _record(request: Request, model: ServedModel, translator: Translator) -> None:
    record_usage(
        request.scope,
        model.config.name,
        translator.searches.prompt_tokens,
        translator.searches.completion_tokens,
        is_truncated=False,
    )


def _translators(models: ModelRegistry) -> dict[tuple[str, str], str]:
    """Returns the name of the translation model of each source and target language."""
    names = dict[tuple[str, str], str]()
    for config in models.configs():
        if config.task == "translate" and len(config.languages) == 2:
            names.setdefault((config.languages[0], config.languages[1]), config.name)
    return names


def _detection(text: str, source: str, target: str, models: ModelRegistry) -> Detection:
    """Returns the language of a text, with the confidence; the target language if the text is
    already in that language.

    Raises:
        InvalidField: if no model translates into the target language.
    """
    if source != "auto":
        return Detection(confidence=100.0, language=source)
    pairs = [pair for pair in _translators(models) if match_language(target, [pair[1]])]
    if not pairs:
        raise InvalidField("target", f"{target!r} is not supported; see /languages")
    sources = [first for first, _ in pairs]
    ranked = detect(text, [*sources, pairs[0][1]])
    language, share = ranked[0]
    if share < MIN_CONFIDENCE:
        language, share = next(each for each in ranked if each[0] in sources)
    return Detection(confidence=round(100 * share, 1), language=language)


def _is_translated(language: str, target: str, models: ModelRegistry) -> bool:
    """Tells whether a text is already in the target language, of those that are served."""
    served = sorted({each for pair in _translators(models) for each in pair})
    own = match_language(language, served)
    return own is not None and own == match_language(target, served)


async def _model(models: ModelRegistry, source: str, target: str) -> ServedModel:
    names = _translators(models)
    own_source = match_language(source, [first for first, _ in names])
    if own_source is None:
        raise InvalidField("source", f"{source!r} is not supported; see /languages")
    own_target = match_language(target, [second for first, second in names if first == own_source])
    if own_target is None:
        raise InvalidField("target", f"{target!r} is not supported from {own_source!r}")
    return await models.get(names[own_source, own_target])


@router.post(
    "/detect",
    responses=RESPONSES,
    response_model=list[Detection],
    openapi_extra=openapi_form_body(DetectRequest),
)
async def detect_language(request: Request) -> list[Detection]:
    """Returns which of the served languages a text is in, the likeliest first."""
    fields = await read_fields(request)
    require_key(request.scope, fields.get("api_key"))
    body = validate(DetectRequest, fields)
    await charge_units(request, 1.0)
    configs = models_of(request).configs()
    served = [language for config in configs for language in config.languages]
    return [
        Detection(confidence=round(100 * share, 1), language=language)
        for language, share in detect(body.q, served)
        if share > 0 or language == served[0]
    ]


@router.post(
    "/translate_file",
    responses={200: {"content": {EVENT_STREAM: {}}}, **RESPONSES},
    response_model=TranslateFileAnswer,
    openapi_extra=openapi_file_body(TranslateFileRequest),
)
async def translate_a_file(request: Request) -> Response:
    """Translates a subtitle file (.srt, .vtt, .ass) or a text file. Times, styles and tags are
    kept."""
    fields = await read_fields(request)
    require_key(request.scope, fields.get("api_key"))
    body = validate(TranslateFileRequest, fields)
    uploaded = file_of(fields)
    form = format_of(uploaded.name)
    source, target = body.source, body.target
    models, settings = models_of(request), settings_of(request)
    text, encoding = await asyncio.to_thread(decode, uploaded.data, source)
    file = await asyncio.to_thread(parse_file, text, form)
    await _charge(request, [text])
    sample = " ".join(cue.text for cue in file.cues[:100])[:_DETECTED_CHARACTERS]
    detection = _detection(sample, source, target, models)
    if _is_translated(detection.language, target, models):
        reason = "the file is already in the target language; if it is not, set its language"
        raise InvalidField("source", reason)
    language = detection.language
    model = await _model(models, language, target)
    translator = Translator(model, settings, source=language, retries_overload=True)

    async def produce(on_progress: OnProgress | None = None) -> TranslateFileAnswer:
        translated = await translate_file(translator, file, on_progress)
        _record(request, model, translator)
        result = await asyncio.to_thread(encoding.encode, translated)
        path = PurePath(uploaded.name)
        key = _files_of(request).put(f"{path.stem}.{target}{path.suffix}", result)
        return TranslateFileAnswer(translatedFileUrl=str(request.url_for("download_file", key=key)))

    if body.stream:
        return EventStream(partial(_stream, produce), _error_event)
    return json_response(await cancel_on_disconnect(request.receive, produce()))


async def _stream(
    produce: Callable[[OnProgress], Coroutine[Any, Any, TranslateFileAnswer]], send_event: SendEvent
) -> None:
    """Sends the progress, at most every `_PROGRESS_SECONDS`, and then the answer."""
    sent = 0.0

    def send_progress(done: int, total: int) -> None:
        nonlocal sent
        if done == total or time.monotonic() - sent >= _PROGRESS_SECONDS:
            sent = time.monotonic()
            send_event(event("progress", Progress(done=done, total=total)))

    send_progress(0, 1)  # so that later errors become events
    send_event(event("answer", await produce(send_progress)))


def _error_event(fault: Fault) -> bytes:
    return event("error", TextError(error=fault.message))


@router.get(
    "/download_file/{key}",
    name="download_file",
    response_class=Response,
    responses={
        200: {"content": {"application/octet-stream": {}}},
        "default": {"model": TextError, "description": "The file does not exist or has expired."},
    },
)
async def download_file(request: Request, key: str) -> Response:
    """Returns a translated file, for ten minutes."""
    file = _files_of(request).get(key)
    if file is None:
        return JSONResponse({"error": "the file does not exist or has expired"}, 404)
    quoted = quote(file.name, safe="", errors="replace")
    name = f'filename="{quoted}"' if quoted == file.name else f"filename*=UTF-8''{quoted}"
    headers = {"Content-Disposition": f"attachment; {name}"}  # `curl -J` reads `filename` only
    return Response(file.data, media_type="application/octet-stream", headers=headers)


@router.get("/frontend/settings", response_model=FrontendSettings)
async def frontend_settings(request: Request) -> FrontendSettings:
    """Returns the settings that LibreTranslate's web page reads."""
    source, target = next(iter(_translators(models_of(request))), ("en", "en"))
    needs_key = settings_of(request).api_keys is not None
    return FrontendSettings(
        apiKeys=needs_key,
        keyRequired=needs_key,
        charLimit=settings_of(request).max_body_bytes,
        language={
            side: {"code": code, "name": name_of(code)}
            for side, code in (("source", source), ("target", target))
        },
        supportedFilesFormat=[f".{form}" for form in FORMATS],
    )


@router.get("/spec", include_in_schema=False)
async def spec(request: Request) -> JSONResponse:
    """Returns the OpenAPI description at LibreTranslate's path."""
    return JSONResponse(request.app.openapi())


@router.get("/health", response_model=Health)
async def health() -> Health:
    """Answers while the server runs, as LibreTranslate does."""
    return Health()


def _files_of(request: Request) -> FileStore:
    files: FileStore = request.app.state.files
    return files
