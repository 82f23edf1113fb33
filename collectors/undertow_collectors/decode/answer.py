"""What an answer says about itself. The text stays here: lengths, a hash and verdicts go on, words do not.

`shapes` and `streams` find the text, `refusals`, `layout` and `structure` look at it, `wanted` knows what it should be.
"""

import hashlib
from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec

from undertow_collectors.decode import frames, layout, names, refusals, shapes, streams, structure
from undertow_collectors.decode.usage import identity, usage
from undertow_collectors.decode.wanted import Wanted, satisfies, wanted

__all__ = ["REDACTED", "add", "body", "features", "identity", "is_plain", "of_messages", "of_text", "opened", "usage"]

REDACTED = ("redacted-by-litellm", "__REDACTED__")
"""What LiteLLM and OpenInference put in place of texts when the operator turned content off."""

_CUT_HERE = ("[truncated]", "(truncated)", "<truncated>")
_CUT_WITHIN, _CUT_FROM = "(litellm_truncated ", 1000
"""What loggers put where they cut a text; LiteLLM does so in the middle of texts that had that many characters."""

Cut = Callable[[str], bool]
"""Whether a text is only a part of an answer, by what its format knows beside it."""

_decode = msgspec.json.Decoder().decode
_NOT_JSON = object()
_JSON_STARTS = frozenset("{[ \t\r\n")


def features(response: Any, parameters: dict[str, Any], is_cut: Cut = lambda _: False) -> dict[str, Any]:
    """Fields of the span that a response body shows; `parameters` are the request's, `is_cut` knows texts to pass over.

    The body may be of any provider in `shapes`, the JSON text of one, the raw text of a stream, or a list of a stream's
    events or of output messages. Unknown shapes, redacted texts and cut ones give nothing.
    """
    if isinstance(response, dict):
        return _said(shapes.of_body(response), parameters, is_cut)
    return of_messages(response, parameters, is_cut)


def of_messages(messages: Any, parameters: dict[str, Any], is_cut: Cut = lambda _: False) -> dict[str, Any]:
    """The same of a list of output messages: `gen_ai.output.messages` as a list or as JSON, or OpenInference's."""
    found = body(messages)
    if isinstance(found, dict):
        return _said(shapes.of_body(found), parameters, is_cut)
    return _said(shapes.of_messages(found), parameters, is_cut) if isinstance(found, list) else {}


def tools(response: Any) -> int:
    """Return how many tool calls a response body or a list of messages holds, as far as they can be seen."""
    found = body(response) if isinstance(response, str) else response
    if isinstance(found, dict):
        return shapes.of_body(found).tools or 0
    return (shapes.of_messages(found).tools or 0) if isinstance(found, list) else 0


def of_text(
    text: str, parameters: dict[str, Any], tools: int | None = None, finish: str | None = None
) -> dict[str, Any]:
    """The same of a bare text, with the number of tool calls and the provider's finish reason where they are known."""
    return _said(shapes.Answer(text, tools, finish=finish), parameters, lambda _: False)


def body(response: Any) -> Any:
    """A response as `usage`, `identity` and `features` read it: JSON text parsed, a stream's events put together.

    A dict is a body, a list holds messages, None is neither.
    """
    if isinstance(response, str):
        if streams.is_stream(response):
            return streams.of_text(response)
        try:
            response = _decode(response) if response.lstrip()[:1] in ("{", "[") else None
        except (ValueError, RecursionError):
            return None
    if isinstance(response, list) and streams.are_events(response):
        return streams.of_events(response)
    found = frames.opened(response)
    return found if isinstance(found, dict | list) else None


def opened(values: dict[str, Any], name: str) -> dict[str, Any]:
    """The object behind the JSON in `values[name]`, which stays there parsed; empty where there is none."""
    if isinstance(values.get(name), str):
        values[name] = body(values[name])
    found = values.get(name)
    return found if isinstance(found, dict) else {}


def add(fields: dict[str, Any], found: dict[str, Any], derived: Counter[str]) -> None:
    """Put what an answer shows beside what the log itself says, which counts first; each field added is `derived`.

    Signals go beside the user's own.
    """
    for name, value in found.items():
        known = fields.get(name)
        if name == "signals" and isinstance(known, dict):
            fields[name] = value | known
        elif known is None:
            fields[name] = value
        else:
            continue
        if name != "finish_reason":
            derived[name] += 1


def _said(answer: shapes.Answer, parameters: dict[str, Any], is_cut: Cut) -> dict[str, Any]:
    text, tools, refused, finish = answer
    found: dict[str, Any] = {}
    if finish is not None:
        found["finish_reason"] = names.finish_reason(finish)
    if tools or (tools is not None and text not in REDACTED):
        found["tool_call_count"] = tools
    if text is not None and not _is_cut(text) and not is_cut(text):
        found["response_chars"] = len(text)
        found["refusal"] = refusals.refuses(text)
        if text:
            found["response_sha256"] = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
            found["signals"] = layout.shape(text)
        asked = None if tools else wanted(parameters)
        if asked is not None or text[:1] in _JSON_STARTS:
            _structure(found, text, asked)
    if refused:
        found["refusal"] = True
    return found


def is_plain(text: str) -> bool:
    """Whether nothing but the looks of a whole text that is no JSON is to be told."""
    return bool(text) and text[0] not in _JSON_STARTS and not _is_cut(text)


def _is_cut(text: str) -> bool:
    if len(text) < _CUT_FROM:
        return text in REDACTED or text.endswith(_CUT_HERE)
    return text.endswith(_CUT_HERE) or _CUT_WITHIN in text


def _structure(found: dict[str, Any], text: str, asked: Wanted | None) -> None:
    if asked is None and not _may_be_json(text):
        return
    value = _parsed(text)
    if asked is not None:
        found["parse_ok"] = value is not _NOT_JSON and satisfies(value, len(text), asked)
    if value is not _NOT_JSON and (digest := structure.fingerprint(value)):
        found["schema_fingerprint"] = digest


def _may_be_json(text: str) -> bool:
    return text.lstrip()[:1] in ("{", "[") and text.rstrip()[-1:] in ("}", "]")


def _parsed(text: str) -> Any:
    try:
        return _decode(text)
    except (ValueError, RecursionError):
        return _NOT_JSON
