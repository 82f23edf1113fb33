"""Where the spans of each convention hold the answer, and in which format it was asked for."""

import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from undertow_collectors.decode import adk, answer, frames, genkit, haystack, limits, mlflow
from undertow_collectors.decode.calls import DETAILS
from undertow_collectors.decode.coerce import literal, mapping
from undertow_collectors.decode.reading import Reading
from undertow_collectors.decode.records import Event, Record
from undertow_collectors.decode.wanted import wanted

_INDEXED = re.compile(r"[a-z_.]+?\.(\d{1,4})\.(?:message\.)?([a-z_]+)(?:\.(?:(\d{1,4})\.)?(.+))?")
_JSON, _PLAIN = "application/json", "text/plain"
_REPR = re.compile(r"""\s*(?:[\[{(]\s*)*(?:[A-Z]\w*\((?:\w+=|\)|[\"'])|content=["']|[\[{]\s*')""")
"""How Python writes objects: `ChatCompletion(id='...`, `content='...`, `{'id': ...`."""

_DUMP = re.compile(
    r"\s*(?:event: \w|data: ?[\[{]"  # the raw events of a stream
    r"|<[\w.]+ (?:object|at)\b.*\b0x[0-9a-fA-F]+>\s*$"  # Python's objects without a text of their own
    r"|&(?:[\w.]+)?\{\w+:|map\[\w+:"  # Go
    r"|[A-Z]\w+ ?[\[{] ?\w+ ?= ?"  # Java
    r'|[A-Z]\w+ \{ \w+: (?:"|Some\(|None\b)'  # Rust
    r"|[A-Z]\w+(?:\.[A-Z]\w+){2,}(?:`\d.*)?\s*$"  # the type's name alone, as .NET does
    r"|\[object \w+\]\s*$|(?:null|undefined)\s*$)"
)
"""How other languages, and wires, write what is no text."""

_MESSAGE_EVENTS = ("gen_ai.choice", "gen_ai.content.completion", DETAILS)
_OF_LIBRARIES = {
    ".adk": adk.answered,
    ".genkit": genkit.answered,
    ".haystack": haystack.answered,
    ".mlflow": mlflow.answered,
}
"""What the answer is to libraries that keep all they returned in one attribute."""


def features(record: Record, reading: Reading, fields: dict[str, Any]) -> dict[str, Any]:
    """Fields of the span that its answer shows, wherever the convention puts that; nothing where it holds none."""
    for clue, answered in _OF_LIBRARIES.items():
        if clue in reading.values:
            return answer.features(*answered(reading.values, record))
    calls = literal(reading.values.get(".tool_calls"))
    if isinstance(calls, list) and calls:
        return {"tool_call_count": len(calls)}
    parameters = _parameters(reading.values)
    is_cut = partial(limits.is_cut, tokens=_visible(fields), finish=fields.get("finish_reason"))
    places = _answers(record, reading, bool(wanted(parameters)))
    shown: dict[str, Any] = {}
    seen: list[Any] = []
    for one, bare in places:
        seen.append(one)
        shown = answer.features(one, parameters, is_cut if bare else _is_whole) | shown
        if "response_chars" in shown:
            break
    calling = "tool_calls" in (shown.get("finish_reason"), fields.get("finish_reason"))
    if (calling or not shown.get("response_chars")) and not shown.get("tool_call_count"):
        count = max(map(answer.tools, (*seen, *(one for one, _ in places))), default=0)
        return shown | ({"tool_call_count": count} if count else {})
    return shown


def _visible(fields: dict[str, Any]) -> int | None:
    """Tokens of the answer without reasoning; unknown where it is not said."""
    tokens = fields.get("output_tokens")
    return None if tokens is None else int(tokens) - int(fields.get("reasoning_tokens") or 0)


def _is_whole(_: str) -> bool:
    """A text within JSON that is whole was not cut with its attribute."""
    return False


def _answers(record: Record, reading: Reading, asked: bool) -> Iterator[tuple[Any, bool]]:
    """The places where an answer may be, the one that says most first, and whether its text is an attribute itself.

    `asked` is whether the answer was to be JSON.
    """
    values = reading.values
    if ".output_messages" in values:
        yield values[".output_messages"], False
    if ".response" in values:
        yield _messages(values[".response"]), False
    if reading.answer:
        yield messages(reading.answer), True
    if isinstance(values.get(".text"), str):
        yield _said(values[".text"]), True
    for name in (".completion", ".response"):
        text = values.get(name)
        if isinstance(text, str):
            yield _messages(text), False
            if not _is_frame(text, asked, values):
                yield _said(text), True
    for event in record.events():
        if event.name in _MESSAGE_EVENTS:
            yield _of_event(event, asked), True


def _said(text: str) -> list[dict[str, Any]]:
    return [{"role": "assistant", "content": text}]


def _is_frame(text: str, asked: bool, values: Mapping[str, Any]) -> bool:
    """Whether an attribute for answers of any kind holds what stands around one, of a shape that nobody here knows."""
    if values.get(".response_type") == _JSON or _REPR.match(text) or _DUMP.match(text):
        return True
    if text.lstrip()[:1] not in ("{", "["):
        return False
    plain = values.get(".response_type") == _PLAIN or (
        asked and values.keys().isdisjoint((".langsmith", ".openinference"))
    )
    return frames.is_json(text) and not (plain and not frames.is_body(answer.body(text)))


def messages(pieces: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Messages out of attributes such as `gen_ai.completion.0.content` and `llm.output_messages.0.message.role`."""
    found: dict[int, dict[str, Any]] = {}
    for name, value in pieces.items():
        match = _INDEXED.fullmatch(name)
        if match is None:
            continue
        message = found.setdefault(int(match[1]), {"role": "assistant"})
        if match[4] is None:
            message[match[2]] = value
            continue
        inner = message.setdefault(match[2], {})
        if isinstance(inner, dict) and match[3] is not None:
            inner = inner.setdefault(int(match[3]), {})
        if isinstance(inner, dict):
            inner[match[4].rpartition(".")[2]] = value
    return [_whole(found[index]) for index in sorted(found)]


def _whole(message: dict[str, Any]) -> dict[str, Any]:
    """A message with its lists: contents in order, tool calls of whatever detail."""
    lists = {
        name: [value[i] for i in sorted(value)]
        for name, value in message.items()
        if isinstance(value, dict) and all(isinstance(i, int) for i in value)
    }
    whole = message | lists
    if "contents" in lists and not isinstance(message.get("content"), str):
        whole["content"] = lists["contents"]
    return whole


def _of_event(event: Event, asked: bool) -> Any:
    attributes = event.attributes()
    if "gen_ai.output.messages" in attributes:
        return attributes["gen_ai.output.messages"]
    completion = attributes.get("gen_ai.completion")
    if completion and completion != "None":  # what OpenLIT writes for an answer of nothing but tool calls
        return None if _is_frame(str(completion), asked, {}) else _said(completion)
    message, finish = literal(attributes.get("message")), attributes.get("finish_reason")
    if isinstance(message, list) or (isinstance(message, str) and not _is_frame(message, asked, {})):
        message = {"role": "assistant", "content": message}  # Strands: Bedrock's blocks, or the text
    return [message | {"finish_reason": finish}] if isinstance(message, dict) and message else None


def _messages(value: Any) -> Any:
    """A body, or messages of which there may be but one."""
    found = answer.body(value)
    return [found] if isinstance(found, dict) and "role" in found else found


def _parameters(values: dict[str, Any]) -> dict[str, Any]:
    """The request's parameters as far as they say which format was asked for."""
    parameters = mapping(values.get(".parameters"))
    if "response_format" in parameters:
        return parameters
    if ".schema" in values:
        schema = mapping(values[".schema"])
        return {"response_format": {"type": "json_schema", "json_schema": {"schema": schema or None}}}
    if "text" in parameters or ".output_type" not in values:
        return parameters
    return {"response_format": {"type": str(values[".output_type"])}}
