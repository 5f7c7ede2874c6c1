"""`python -m app`: serves a model. Settings come from the environment; `--help` lists them."""

from __future__ import annotations

import argparse
import signal
import sys
from types import FrameType
from typing import NoReturn

from app.decoding.process import LaunchedWorkers
from app.settings import read_settings, settings_table
from model.errors import Seq2SeqError


class SettingsParser(argparse.ArgumentParser):
    """A parser without options, whose errors say where settings come from."""

    def error(self, message: str) -> NoReturn:
        self.exit(
            2,
            f"{self.prog}: error: {message}. Settings are environment variables, such as "
            f"SEQ2SEQ_PORT=9000; `{self.prog} --help` lists them.\n",
        )


def main(arguments: list[str] | None = None, program: str = "python -m app") -> int:
    """Runs the server until it is stopped. Returns the exit code."""
    _parse(arguments, program)
    # Until the server has a handler of its own: the first process of a container ignores signals
    # without one.
    signal.signal(signal.SIGTERM, _exit)
    try:
        settings = read_settings()
        launched = LaunchedWorkers.launch(settings)
        # Imported only now, while the workers load their models.
        from app.decoding.registry import model_folders
        from app.decoding.served_model import load_model
        from app.main import create_app
        from app.server import serve

        preloaded = load_model(settings, launched)  # so that a broken folder is no traceback
        if settings.models is not None:
            model_folders(settings.models)
        app = create_app(settings, preloaded=preloaded)
    except Seq2SeqError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:  # while the model is loaded
        return 130
    return serve(app, settings)


def _exit(number: int, frame: FrameType | None) -> None:
    sys.exit(0)


def _parse(arguments: list[str] | None, program: str) -> None:
    rows = (
        f"  {name}\n      {text} (default: {value or 'unset'})"
        for name, value, text in settings_table()
    )
    SettingsParser(
        prog=program,
        description="Serves a model over HTTP.",
        epilog="environment variables:\n" + "\n".join(rows),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
