"""What a field map may say: the fields it can fill, and the units that each takes. The engine is the collectors'."""

from undertow.span import FIELDS

MOMENTS = ("auto", "unix_s", "unix_ms", "unix_us", "unix_ns", "rfc3339")
DURATIONS = ("s", "ms", "us", "ns")
MONEY = ("usd", "cents")

UNITS: dict[str, tuple[str, ...]] = {
    "started_at": MOMENTS,
    "ended_at": MOMENTS,
    "first_token_at": MOMENTS,
    "duration_s": DURATIONS,
    "ttft_s": DURATIONS,
    "cost_usd": MONEY,
}
"""Target -> its units, the one that is meant without a word first; other targets have none."""

HELPERS = {
    "ended_at": "when the call ended; gives `duration_s`, or `started_at` where that is unknown",
    "first_token_at": "when the first token or chunk came; gives `ttft_s`",
    "request_body": "what was sent upstream, as an object or as JSON in a string; gives the request's parameters",
    "response_body": "what the provider answered, likewise; gives what can be read off an answer's text",
}
"""Targets that are no fields of the span: fields are made of them, and they are forgotten."""

TARGETS = frozenset(field.name for field in FIELDS) | HELPERS.keys()


def is_target(name: str) -> bool:
    """Whether a map can fill `name`: a field of the span, a helper, `labels.NAME` or `signals.NAME`."""
    group, _, rest = name.partition(".")
    return name in TARGETS or (group in ("labels", "signals") and 0 < len(rest) <= 256)


def is_path(text: str) -> bool:
    """Whether `text` is a dotted path without an empty part."""
    return 0 < len(text) <= 512 and all(text.split("."))
