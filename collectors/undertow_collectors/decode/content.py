"""Where the spans of each convention hold the answer, and in which format it was asked for."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from undertow_collectors.decode import answer, genkit, mlflow
from undertow_collectors.decode.attributes import Reading
from undertow_collectors.decode.calls import DETAILS
from undertow_collectors.decode.coerce import literal, mapping
from undertow_collectors.decode.records import Event, Record

_INDEXED = re.compile(r"[a-z_.]+?\.(\d{1,4})\.(?:message\.)?([a-z_]+)(?:\.(?:(\d{1,4})\.)?(.+))?")
_MESSAGE_EVENTS = ("gen_ai.choice", "gen_ai.content.completion", DETAILS)
_OF_LIBRARIES = {".genkit": genkit.answered, ".mlflow": mlflow.answered}
"""What the answer is to libraries that keep all they returned in one attribute."""


def features(record: Record, reading: Reading) -> dict[str, Any]:
    """Fields of the span that its answer shows, wherever the convention puts that; nothing where it holds none."""
    for clue, answered in _OF_LIBRARIES.items():
        if clue in reading.values:
            return answer.features(*answered(reading.values, record))
    parameters = _parameters(reading.values)
    shown: dict[str, Any] = next(filter(None, (answer.features(a, parameters) for a in _answers(record, reading))), {})
    calls = literal(reading.values.get(".tool_calls"))
    return {"tool_call_count": len(calls)} if isinstance(calls, list) and calls else shown


def _answers(record: Record, reading: Reading) -> Iterator[Any]:
    """The places where an answer may be, the one that says most first."""
    values = reading.values
    if ".output_messages" in values:
        yield values[".output_messages"]
    if ".response" in values:
        yield _messages(values[".response"])
    if reading.answer:
        yield messages(reading.answer)
    for name in (".completion", ".response"):
        text = values.get(name)
        if isinstance(text, str):
            found = _messages(text)
            yield found
            if not isinstance(found, list):  # JSON of another kind is an answer itself
                yield [{"role": "assistant", "content": text}]
    for event in record.events():
        if event.name in _MESSAGE_EVENTS:
            yield _of_event(event)


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


def _of_event(event: Event) -> Any:
    attributes = event.attributes()
    if "gen_ai.output.messages" in attributes:
        return attributes["gen_ai.output.messages"]
    completion = attributes.get("gen_ai.completion")
    if completion and completion != "None":  # what OpenLIT writes for an answer of nothing but tool calls
        return [{"role": "assistant", "content": completion}]
    message = mapping(attributes.get("message"))
    return [message | {"finish_reason": attributes.get("finish_reason")}] if message else None


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
