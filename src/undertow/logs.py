"""Logs: one event, one bounded line, on standard error, as text or JSON; no kind of line can fill them."""

import json
import logging
from datetime import UTC, datetime
from typing import Literal

from undertow.log_rates import RatedHandler

Format = Literal["text", "json"]
LINE_CHARACTERS = 16 * 2**10
"""What is longer is cut in its middle: a traceback begins with where it was, and ends with why."""
OURS = ("undertow", "undertow_collectors")
TOLD_BY_US = ("kafka",)
"""Libraries that report each failing connection many times a second, with the login that a broker repeats; the source
says it once, as its state."""


REPEATING = ("opentelemetry", "urllib3", "requests", "httpx", "httpcore")
"""Libraries that put headers, addresses with their paths, and what a server answered into their lines."""


class _Discreet(logging.Filter):
    """Leaves of such a library's line its words, its numbers and the kind of an error."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.partition(".")[0] in REPEATING:
            args = record.args if isinstance(record.args, tuple) else (record.args,)
            error = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else ""
            record.msg = record.msg if record.args else record.msg.partition(":")[0]
            record.args = tuple(map(_kind, args)) if record.args else ()
            record.msg, record.exc_info, record.exc_text = f"{record.msg} {error}".strip(), None, None
        return True


def _kind(value: object) -> object:
    return value if isinstance(value, int | float) else type(value).__name__ if isinstance(value, Exception) else "..."


class _Line(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        text = f"{_time(record)} {record.levelname.lower()} {record.name}: {super().format(record)}"
        return _cut(text).replace("\n", "\\n")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  a name of the standard library
        return record.message


class _Json(_Line):
    def format(self, record: logging.LogRecord) -> str:
        event = {
            "at": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "text": _cut(record.getMessage()),
        }
        if record.exc_info:
            event["exception"] = _cut(self.formatException(record.exc_info))
        return json.dumps(event)


def _cut(text: str) -> str:
    half = LINE_CHARACTERS // 2
    return text if len(text) <= 2 * half else f"{text[:half]} ... {text[-half:]}"


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


def configure(format_name: Format) -> None:
    """Log to standard error from now on: our own events from INFO, those of libraries from WARNING."""
    handler = RatedHandler()
    handler.setFormatter(_Json() if format_name == "json" else _Line())
    handler.addFilter(_Discreet())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in OURS:
        logging.getLogger(name).setLevel(logging.INFO)
    for name in TOLD_BY_US:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def say_suppressed() -> None:
    """Say what was left out, also where nothing else is logged that would bring it up."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, RatedHandler):
            handler.say_suppressed()
