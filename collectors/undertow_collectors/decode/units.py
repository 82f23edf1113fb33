"""From the units of a log to those of the span: seconds, Unix seconds, US dollars.

A converter takes a value, the field's name and the message's counters. It counts what it had to repair or infer, and
returns None where nothing can be made of the value.
"""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from undertow.batch import Decoded
from undertow.span import Rejected
from undertow_collectors.decode.coerce import BY_FIELD, number

Convert = Callable[[Any, str, Decoded], Any]

DURATIONS = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}
MONEY = {"usd": 1.0, "cents": 100.0}
MOMENTS = {"unix_s": 1.0, "unix_ms": 1e3, "unix_us": 1e6, "unix_ns": 1e9}
"""Units -> how many of them are one of the span's; dividing leaves 143 ms at 0.143 s."""

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d([.,]\d+)?(Z|[+-]\d\d:?\d\d)")
_WITHOUT_ZONE = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d([.,]\d+)?)?")
_FINER = (1e11, 1e14, 1e17)  # 1e11 seconds are the year 5138, and 1e11 milliseconds 1973


def scaled(divisor: float) -> Convert:
    """A number divided by `divisor`."""

    def convert(value: Any, name: str, decoded: Decoded) -> float | None:
        found = _number(value, name, decoded)
        return found if found is None or divisor == 1.0 else found / divisor

    return convert


def duration(divisor: float) -> Convert:
    """Seconds, out of a number divided by `divisor`; gateways write -1 for what they did not measure."""
    seconds = scaled(divisor)

    def convert(value: Any, name: str, decoded: Decoded) -> float | None:
        found: float | None = seconds(value, name, decoded)
        if found is not None and found < 0:
            decoded.coerced[name] += 1
            return None
        return found

    return convert


def moment(unit: str) -> Convert:
    """A point in time: numbers in `unit`, a key of MOMENTS or `auto`, which goes by their size; texts in RFC 3339."""
    if unit == "rfc3339":
        return _rfc3339
    return _dated(scaled(MOMENTS[unit]) if unit in MOMENTS else _sized)


def plain(name: str) -> Convert:
    """The type of a field of the span, repaired where it can only mean one thing."""
    coerce = BY_FIELD[name]

    def convert(value: Any, name: str, decoded: Decoded) -> Any:
        found = coerce(value)
        if found is not value:
            decoded.coerced[name] += 1
        return found

    return convert


def _number(value: Any, name: str, decoded: Decoded) -> float | None:
    if type(value) is int:
        return value
    found = number(value)
    if found is not value:
        decoded.coerced[name] += 1
    return found


def _rfc3339(value: Any, name: str, decoded: Decoded) -> float | None:
    found = unix_seconds(value) if isinstance(value, str) else None
    if name == "started_at":
        refuse_without_zone(value)
    if found is None:
        decoded.coerced[name] += 1
    return found


def _dated(of_number: Convert) -> Convert:
    def convert(value: Any, name: str, decoded: Decoded) -> float | None:
        if isinstance(value, str) and "-" in value[1:]:
            return _rfc3339(value, name, decoded)
        found: float | None = of_number(value, name, decoded)
        return found

    return convert


def _sized(value: Any, name: str, decoded: Decoded) -> float | None:
    found = _number(value, name, decoded)
    if found is None:
        return None
    finer = sum(found >= limit for limit in _FINER)
    if finer:  # the unit is a guess, if a safe one
        decoded.derived[name] += 1
    return found / 1000.0**finer


def refuse_without_zone(value: Any) -> None:
    """Raise Rejected (`time_without_zone`) for a time of day that may be anywhere: a guess would be hours wrong."""
    if isinstance(value, str) and _WITHOUT_ZONE.fullmatch(value.strip()):
        raise Rejected("time_without_zone", "the time of the call has no zone, such as Z or +01:00")


def unix_seconds(text: str) -> float | None:
    """Unix seconds of an RFC 3339 time with its zone; the space of ISO 8601 and `+0100` pass. None if it is none."""
    upper = text.upper()
    if not _RFC3339.fullmatch(upper):
        return None
    try:
        return datetime.fromisoformat(upper).timestamp()
    except (ValueError, OverflowError):
        return None
