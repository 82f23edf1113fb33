"""Captures of real instrumentations, held to what the provider wrote down that it had served."""

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from typing import Any

import msgspec
import pytest
from tests.collectors.decode import both_ways
from tests.conformance.expected import CAPTURES, WRONG
from tests.conformance.rules import ANY, MAYBE, PARTIAL
from tests.conformance.served import FORMATS, Call, calls

from undertow.batch import Decoded, Message
from undertow.span import Span
from undertow_collectors import files
from undertow_collectors.decode.registry import decode, inflate

FIELDS = tuple(Call(0, {"api": "", "stream": False}, 1).span())
NO_IDS = "a dozen of its events name no span, and none names a provider"
EVENTS = [
    pytest.param(name, marks=pytest.mark.xfail(strict=True, reason=NO_IDS)) if "openlit" in name else name
    for name, capture in CAPTURES.items()
    if capture.events
]
APART = "the second span, in another message, is a call again"
SPLIT = {
    "own-traps-traceloop-openinference",
    "own-traps-traceloop-anthropic-sdk",
    "own-jvm-langchain4j-1.11.0",
}
TRAPS = [name for name, capture in CAPTURES.items() if capture.one_message]
CLOCKS_S = 0.001  # some instrumentations take one time from each of two clocks


def messages(name: str, kind: str) -> list[Message]:
    """The bodies of one capture, `traces` or `logs`, in order of arrival."""
    paths = sorted((FORMATS / name).glob(f"{kind}-*"))
    return [message for path in paths for message in files.messages(str(path))]


@cache
def decoded(name: str, kind: str, *, one_message: bool = False) -> list[Decoded]:
    """The same decoded, each by itself or all of them as one message."""
    found = messages(name, kind)
    if one_message:  # protobuf concatenates lists of messages that are concatenated
        value = b"".join(inflate(message.value) for message in found)
        found = [replace(found[0], value=value)]
    return [decode(message) for message in found]


def traces(name: str) -> list[Span]:
    """The rows of one capture's traces."""
    return rows(decoded(name, "traces", one_message=CAPTURES[name].one_message))


def rows(bodies: Iterable[Decoded]) -> list[Span]:
    """What the store keeps: the first of the spans that share an id; in the order of the calls."""
    found: dict[str, Span] = {}
    for span in (span for body in bodies for span in body.spans):
        found.setdefault(span.span_id, span)
    return sorted(found.values(), key=lambda span: span.started_at)


def told(name: str) -> list[Call]:
    """The calls that the format tells of at all."""
    missing = CAPTURES[name].missing
    return [call for call in calls(name) if missing is None or not missing(call)]


def allowed(name: str, call: Call, field: str) -> tuple[Any, ...]:
    """What the span of a call may have in a field."""
    served = call.span()[field]
    for rule in CAPTURES[name].rules:
        if rule.field == field and rule.where(call):
            if rule.value is MAYBE:
                return (None, served)
            if rule.value is PARTIAL:
                return (None, *range((served or 1) + 1))
            if rule.value is ANY:
                return (ANY,)
            value = rule.value(call) if callable(rule.value) else rule.value
            return value if isinstance(value, tuple) else (value,)
    return (served,)


def differences(name: str, found: list[Span], fields: Iterable[str] = FIELDS) -> list[str]:
    """Where spans, in the order of the calls, are not what was served."""
    expected = told(name)
    if len(found) != len(expected):
        return [f"{len(found)} spans for {len(expected)} calls"]
    return [
        f"call {call.number}: {field} is {getattr(span, field)!r}, not {wanted!r}"
        for call, span in zip(expected, found, strict=True)
        for field in fields
        if ANY not in (wanted := allowed(name, call, field)) and getattr(span, field) not in wanted
    ]


def _cases() -> list[Any]:
    cases = [(name, field) for name in CAPTURES for field in ("calls", *FIELDS)]
    return [_marked(case, WRONG.get(case) or WRONG.get((case[0], "*"))) for case in cases]


def _marked(case: tuple[str, str], wrong: str | None) -> Any:
    return pytest.param(*case, marks=pytest.mark.xfail(strict=True, reason=wrong)) if wrong else case


@pytest.mark.parametrize(("name", "field"), _cases())
def test_a_capture_says_what_was_served(name: str, field: str) -> None:
    """Every call is one span, and each field of it is what the provider said, or unknown where the format is silent."""
    assert differences(name, traces(name), [] if field == "calls" else [field]) == []


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.xfail(strict=True, reason=f"{name}: {APART}")) if name in SPLIT else name
        for name in TRAPS
    ],
)
def test_a_call_whose_spans_come_in_two_messages_is_counted_once(name: str) -> None:
    """An exporter puts the two spans of a call into one batch or into two."""
    assert differences(name, rows(decoded(name, "traces")), []) == []


@pytest.mark.parametrize("name", CAPTURES)
def test_nothing_is_refused(name: str) -> None:
    """No record of a capture is a reject; what is no call is skipped by name."""
    bodies = decoded(name, "traces") + decoded(name, "logs")
    assert [reject.reason for body in bodies for reject in body.rejects] == []
    assert {body.format for body in bodies} <= {"otlp", "otlp_json", "otlp_logs"}


@pytest.mark.parametrize("name", EVENTS)
def test_events_add_no_calls(name: str) -> None:
    """A log event of a call is the span of that call again, whichever of the two comes first."""
    traces, logs = decoded(name, "traces"), decoded(name, "logs")
    ids = {span.span_id for span in rows(traces)}
    assert {span.span_id for span in rows(logs)} <= ids
    assert len(rows(traces + logs)) == len(rows(logs + traces)) == len(ids)


@pytest.mark.parametrize("name", EVENTS)
def test_events_say_what_spans_say(name: str) -> None:
    """Where events are all that is shipped, they give the calls that they tell of as the spans do."""
    spans = {span.span_id: span for span in rows(decoded(name, "traces"))}
    events = rows(decoded(name, "logs"))
    assert events
    for event in events:
        for field in (
            "model",
            "response_id",
            "input_tokens",
            "output_tokens",
            "finish_reason",
            "status",
            "error_class",
        ):
            said, expected = getattr(event, field), getattr(spans[event.span_id], field)
            vague = field == "error_class" and said == "other"  # events have no message that tells more
            assert said == expected or vague, field


UNTIMED = {
    "own-openlit-1.34.10": "its spans of streams begin when the stream has ended",
    "own-openinference-llama-index-4.6.1": "its spans of streams end when the stream begins",
}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.xfail(strict=True, reason=UNTIMED[name])) if name in UNTIMED else name
        for name in CAPTURES
    ],
)
def test_a_first_chunk_comes_within_its_call(name: str) -> None:
    """The time to the first chunk is within the call, and only streams have one, but for vLLM, which does not say."""
    for span in traces(name):
        if span.ttft_s is not None:
            assert span.stream or span.provider == "vllm"
            assert span.duration_s is not None
            assert 0 < span.ttft_s <= span.duration_s + CLOCKS_S


@pytest.mark.parametrize("name", CAPTURES)
def test_many_bodies_at_once_say_the_same(name: str) -> None:
    """What decodes a poll straight into columns, where it can, says what decoding each body by itself does."""
    bodies = [inflate(message.value) for kind in ("traces", "logs") for message in messages(name, kind)]
    both_ways.check(both_ways.messages(bodies))


@pytest.mark.parametrize("name", CAPTURES)
def test_a_body_that_comes_twice_changes_nothing(name: str) -> None:
    """An exporter that retries sends the same ids, of which the store keeps one."""
    bodies = decoded(name, "traces")
    assert rows(bodies + bodies[-1:]) == rows(bodies)


GOOD = "own-traceloop-openai-0.62.4"


def test_a_doubled_call_is_found_out() -> None:
    """The comparison fails where a call is there twice under two ids."""
    found = rows(decoded(GOOD, "traces"))
    for at, span in enumerate(found):
        again = msgspec.structs.replace(span, span_id="another")
        assert differences(GOOD, [*found[:at], again, *found[at:]])


def test_a_lost_call_is_found_out() -> None:
    """The comparison fails where a call is missing, and where another stands in its place."""
    found = rows(decoded(GOOD, "traces"))
    for at in range(len(found)):
        assert differences(GOOD, found[:at] + found[at + 1 :])
        if found[at].response_id:  # two failures may be alike
            assert differences(GOOD, [*found[:at], found[at - 1], *found[at + 1 :]])


@pytest.mark.parametrize("field", ["input_tokens", "output_tokens", "finish_reason", "error_class", "response_id"])
def test_a_wrong_value_is_found_out(field: str) -> None:
    """The comparison fails where one call has another's value."""
    found = rows(decoded(GOOD, "traces"))
    other = {"finish_reason": "length", "error_class": "auth", "response_id": "x"}.get(field, 1)
    for at, span in enumerate(found):
        if getattr(span, field) not in (None, other):
            changed = msgspec.structs.replace(span, **{field: other})
            assert differences(GOOD, [*found[:at], changed, *found[at + 1 :]])
