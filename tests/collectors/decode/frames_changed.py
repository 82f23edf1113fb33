"""Captured messages in which what stands around the answers is written in another way."""

import ast
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

FRAMES = (
    "output.value",
    "gen_ai.output.messages",
    "gen_ai.completion",
    "langfuse.observation.output",
    "message",
)
"""Attributes of spans and events that hold an answer with something around it."""

Change = Callable[[str], str | None]
"""Another way to write the value of an attribute; None where there is none."""


def _parsed(text: str) -> Any:
    for read in (json.loads, ast.literal_eval):
        with suppress(ValueError, SyntaxError):
            return read(text)
    return None


def wrapped(text: str) -> str:
    """A member of an object that is new."""
    return json.dumps({"result": _parsed(text) or text, "schema_version": 2})


def listed(text: str) -> str | None:
    """The only item of a list."""
    return None if text[:1] == "[" else json.dumps([{"value": _parsed(text) or text}])


def as_repr(text: str) -> str | None:
    """A Python repr."""
    found = _parsed(text)
    return repr(found) if isinstance(found, dict | list) else f"Answer(value={text!r})"


def as_object(text: str) -> str:
    """A Python repr of an object of the client's."""
    return f"ChatCompletion(id='x', choices=[{text!r}])"


def indented(text: str) -> str | None:
    """JSON with other blanks and another order."""
    found = _parsed(text)
    return json.dumps(found, indent=2, sort_keys=True) if isinstance(found, dict | list) else None


def with_more(text: str) -> str | None:
    """An object with a member more."""
    found = _parsed(text)
    return json.dumps(found | {"telemetry": {"sdk": "9.9"}}) if isinstance(found, dict) else None


def cut(text: str, size: int = 0) -> str | None:
    """The beginning of JSON."""
    return text[: size or len(text) // 2] if text[:1] in ("{", "[") and len(text) > size else None


CHANGES: dict[str, Change] = {
    "wrapped": wrapped,
    "listed": listed,
    "repr": as_repr,
    "object": as_object,
    "indented": indented,
    "more": with_more,
    "cut": cut,
    "cut_at_128": lambda text: cut(text, 128),
    "cut_at_1024": lambda text: cut(text, 1024),
    "without_its_end": lambda text: cut(text, len(text) - 1),
}


def changed(value: bytes, change: Change) -> bytes | None:
    """A TracesData with its frames written anew; None where it has none, or none that can be."""
    found = TracesData.FromString(value)
    some = False
    for attribute in _attributes(found):
        text = attribute.value.string_value
        other = change(text) if attribute.key in FRAMES and text else None
        if other is not None and other != text:
            attribute.value.string_value = other
            some = True
    return found.SerializeToString() if some else None


def _attributes(traces: TracesData) -> Iterator[KeyValue]:
    for group in traces.resource_spans:
        for scoped in group.scope_spans:
            for span in scoped.spans:
                yield from span.attributes
                for event in span.events:
                    yield from event.attributes
