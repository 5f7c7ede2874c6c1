"""`python -m app`: serves a model. What is set comes from the environment; `--help` lists it."""

from __future__ import annotations

import argparse
import math
import sys
from typing import Any

from app.garbage import collect_rarely
from app.process import Launched
from app.settings import read_settings, settings_table
from model.errors import Seq2SeqError


def main() -> int:
    """Runs the server until it is stopped. Returns the exit code."""
    _parse_arguments()
    try:
        settings = read_settings()
        launched = Launched.of(settings)
        # Imported only now, while the workers load their models.
        import uvicorn

        from app.main import create_app
        from app.protocol import OneWrite
        from app.registry import load_model

        model = load_model(settings, launched)  # so that a broken folder is no traceback
        collect_rarely()
    except Seq2SeqError as error:
        print(error, file=sys.stderr)
        return 1
    uvicorn.run(
        create_app(settings, load=lambda _: model),
        host=settings.host,
        port=settings.port,
        log_config=_log_config(),
        http=OneWrite,
        timeout_graceful_shutdown=math.ceil(settings.request_timeout_seconds),
    )
    return 0


def _log_config() -> dict[str, Any]:
    """Uvicorn's own, but for the formatter of requests: a plain one takes half the time."""
    from uvicorn.config import LOGGING_CONFIG

    plain = {"format": "%(levelname)s:     %(message)s"}
    return {**LOGGING_CONFIG, "formatters": {**LOGGING_CONFIG["formatters"], "access": plain}}


def _parse_arguments() -> None:
    rows = (f"  {name}\n      {text} (default: {value})" for name, value, text in settings_table())
    argparse.ArgumentParser(
        prog="python -m app",
        description="Serves a model over HTTP.",
        epilog="environment variables:\n" + "\n".join(rows),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).parse_args()


if __name__ == "__main__":
    sys.exit(main())
