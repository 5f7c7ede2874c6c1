"""Logging, the same in the server and in its workers."""

from __future__ import annotations

from typing import Any

#: One line each, with its time; of this program, of uvicorn, and of every request.
LOG_CONFIG: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {
        stream: {
            "class": "logging.StreamHandler",
            "formatter": "plain",
            "stream": f"ext://sys.{stream}",
        }
        for stream in ("stdout", "stderr")
    },
    "loggers": {"uvicorn.access": {"handlers": ["stdout"], "propagate": False}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
}
