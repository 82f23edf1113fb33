"""The native format: what it takes, what it repairs, and the name of every mistake."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest

from undertow.batch import Decoded
from undertow.span import FIELDS, Span

Read = Callable[..., Decoded]
SPAN = {"span_id": "a", "started_at": 1.79e9, "provider": "openai", "model": "gpt-4o"}


def reasons(decoded: Decoded) -> list[str]:
    """Why the rejects of a message were rejected, in order."""
    return [reject.reason for reject in decoded.rejects]


@pytest.mark.parametrize(
    ("body", "count"),
    [
        (json.dumps(SPAN), 1),
        (json.dumps([SPAN, SPAN | {"span_id": "b"}]), 2),
        (json.dumps(SPAN) + "\n" + json.dumps(SPAN | {"span_id": "b"}) + "\n", 2),
        (json.dumps(SPAN, indent=2), 1),
        ("\ufeff" + json.dumps(SPAN), 1),
        ("  \r\n" + json.dumps([SPAN], indent=1), 1),
    ],
)
def test_objects_arrays_and_lines(read: Read, body: Any, count: Any) -> None:
    """One object, an array of them, one a line, however they are laid out."""
    decoded = read(body)
    assert (decoded.format, len(decoded.spans), decoded.rejects) == ("native", count, [])


def test_every_field_arrives_as_it_was_sent(read: Read) -> None:
    """All fields of the span survive the way through JSON."""
    full = SPAN | {
        "response_model": "gpt-4o-2024-11-20",
        "stream": True,
        "attempt": 1,
        "fallback": False,
        "input_tokens": 12,
        "output_tokens": 0,
        "temperature": 0,
        "duration_s": 1.5,
        "status": "error",
        "error_class": "timeout",
        "finish_reason": "length",
        "response_sha256": "0" * 64,
        "score": 1,
        "labels": {"team": "a"},
        "signals": {"cited": True, "links": 3, "tone": "dry"},
    }
    span = read(full).spans[0]
    assert {name: getattr(span, name) for name in full} == full
    assert span.ended_at == 1.79e9 + 1.5


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-11-20T12:00:00Z", 1795176000.0),
        ("2026-11-20t12:00:00.250z", 1795176000.25),
        ("2026-11-20T13:00:00+01:00", 1795176000.0),
        ("2026-11-20T12:00:00.123456789Z", 1795176000.123456),
    ],
)
def test_rfc_3339(read: Read, text: Any, seconds: Any) -> None:
    """`started_at` may be RFC 3339 with a zone."""
    assert read(SPAN | {"started_at": text}).spans[0].started_at == pytest.approx(seconds, abs=1e-6)


@pytest.mark.parametrize("text", ["2026-11-20T12:00:00", "2026-11-20", "yesterday", "2026-13-20T12:00:00Z", ""])
def test_other_times_are_refused(read: Read, text: Any) -> None:
    """A time without a zone, or none at all, is a mistake with a name."""
    assert reasons(read(SPAN | {"started_at": text}))[0] in ("invalid_started_at", "missing_started_at")


@pytest.mark.parametrize("name", ["span_id", "started_at", "provider", "model"])
@pytest.mark.parametrize("value", [None, "", ...])
def test_required_fields(read: Read, name: Any, value: Any) -> None:
    """A span without one of the four required fields is rejected under that field's name."""
    body = {k: v for k, v in (SPAN | {name: value}).items() if v is not ...}
    assert reasons(read(body)) in ([f"missing_{name}"], [f"invalid_{name}"])
    assert reasons(read({k: v for k, v in SPAN.items() if k != name})) == [f"missing_{name}"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("started_at", 1e15),
        ("started_at", [1]),
        ("model", 4),
        ("model", "m" * 513),
        ("provider", []),
        ("span_id", 12),
        ("status", "fine"),
    ],
)
def test_wrong_values_are_named(read: Read, name: Any, value: Any) -> None:
    """A wrong value is refused under its field's name, and never quoted."""
    decoded = read(SPAN | {name: value})
    assert reasons(decoded) == [f"invalid_{name}"]
    assert not isinstance(value, str) or value not in decoded.rejects[0].detail


@pytest.mark.parametrize(
    ("name", "value", "left"),
    [
        ("input_tokens", -1, None),
        ("input_tokens", "12", None),
        ("input_tokens", True, None),
        ("input_tokens", 1.5, None),
        ("output_tokens", 2**60, None),
        ("stream", "True", None),
        ("score", 1.2, None),
        ("cost_usd", -0.5, None),
        ("ttft_s", -1.0, None),
        ("http_status", 1000, None),
        ("error_class", "odd", None),
        ("response_sha256", "A" * 64, None),
        ("route", "r" * 513, "r" * 512),
        ("route", 7, None),
        ("trace_id", "x" * 513, f"sha256:{hashlib.sha256(b'x' * 513).hexdigest()}"),
        ("span_id", "x" * 513, f"sha256:{hashlib.sha256(b'x' * 513).hexdigest()}"),
        ("labels", {"a": 1, "b": "kept"}, {"b": "kept"}),
        ("labels", {"a": 1}, None),
        ("labels", {str(i): "x" for i in range(33)}, {str(i): "x" for i in range(32)}),
        ("labels", {"a": "x" * 257}, {"a": "x" * 256}),
        ("labels", ["a"], None),
        ("signals", {"a": None, "b": True}, {"b": True}),
    ],
)
def test_an_unusable_field_does_not_cost_the_call(read: Read, name: Any, value: Any, left: Any) -> None:
    """A value that its field refuses is cut, hashed or made unknown, and counted; the call stays."""
    decoded = read(SPAN | {name: value})
    assert (getattr(decoded.spans[0], name), decoded.repaired, decoded.rejects) == (left, {name: 1}, [])


def test_several_unusable_fields(read: Read) -> None:
    """Each field that cannot be used is counted by itself."""
    decoded = read(SPAN | {"score": 7, "cost_usd": -1, "prompt_name": "p" * 600, "labels": 3})
    assert decoded.repaired == {"score": 1, "cost_usd": 1, "prompt_name": 1, "labels": 1}
    assert decoded.spans[0].prompt_name == "p" * 512


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ({"ttft_s": 812.0, "duration_s": 3.0}, {"ttft_s": None, "duration_s": 3.0}),
        ({"ttft_s": 0.5, "duration_s": 0.001}, {"ttft_s": 0.5, "duration_s": None}),
        ({"ttft_s": 0.9004, "duration_s": 0.9}, {"ttft_s": 0.9004, "duration_s": 0.9}),
        ({"input_tokens": 6, "cached_input_tokens": 3120}, {"input_tokens": 3126, "cached_input_tokens": 3120}),
        ({"output_tokens": 64, "reasoning_tokens": 720}, {"output_tokens": 784, "reasoning_tokens": 720}),
        ({"input_tokens": 0, "cached_input_tokens": 128}, {"input_tokens": 128, "cached_input_tokens": 128}),
        ({"output_tokens": 0, "reasoning_tokens": 720}, {"output_tokens": 720, "reasoning_tokens": 720}),
    ],
)
def test_a_part_is_not_larger_than_its_whole(read: Read, given: dict[str, Any], left: dict[str, Any]) -> None:
    """Tokens that can only stand beside the whole are added to it, and a time that cannot be is unknown."""
    span = read(SPAN | given).spans[0]
    assert {name: getattr(span, name) for name in left} == left


def test_whole_floats_are_counts(read: Read) -> None:
    """12.0 is 12, and the repair is counted: table tools write counts so."""
    decoded = read(SPAN | {"input_tokens": 12.0, "extra": 1})
    assert decoded.spans[0].input_tokens == 12
    assert decoded.coerced == {"input_tokens": 1}


def test_one_bad_object_costs_one_object(read: Read) -> None:
    """Mistakes in an array or between lines are rejects at their index; their neighbours are spans."""
    bad = {"span_id": "x"}
    for body in (json.dumps([SPAN, bad, 3, SPAN]), "\n".join(map(json.dumps, [SPAN, bad, 3, SPAN]))):
        decoded = read(body)
        assert len(decoded.spans) == 2
        assert [(r.reason, r.index) for r in decoded.rejects] == [("missing_started_at", 1), ("not_an_object", 2)]


def test_a_torn_line_costs_one_line(read: Read) -> None:
    """JSON cut off at the end of a message does not take the whole lines before it along."""
    decoded = read(json.dumps(SPAN) + "\n" + json.dumps(SPAN)[:-9])
    assert (len(decoded.spans), reasons(decoded)) == (1, ["invalid_json"])


def test_unknown_keys_are_counted_and_named_ones_kept(read: Read) -> None:
    """Keys outside of the span are dropped and counted by name; those in keep_labels become labels."""
    body = SPAN | {"team": "search", "shard": 7, "nested": {"a": 1}, "labels": {"own": "x"}}
    decoded = read(body, keep_labels=frozenset({"team", "shard", "absent"}))
    assert decoded.spans[0].labels == {"team": "search", "shard": "7", "own": "x"}
    assert decoded.unknown == {"nested": 1}
    assert read(body).spans[0].labels == {"own": "x"}
    assert read(body).unknown == {"team": 1, "shard": 1, "nested": 1}


def test_unknown_names_are_bounded(read: Read) -> None:
    """A sender that makes up keys cannot fill the counters."""
    decoded = read(SPAN | {f"key{i}": 1 for i in range(500)} | {"k" * 1000: 1})
    assert len(decoded.unknown) == 65
    assert decoded.unknown.total() == 501
    assert max(map(len, decoded.unknown)) <= 128


def test_an_object_of_something_else_is_not_recognised(read: Read) -> None:
    """JSON that shares no key with a span is nobody's format."""
    assert reasons(read({"hello": "world"})) == ["unrecognised_format"]


def test_the_fast_path_and_the_slow_one_agree(read: Read) -> None:
    """The same object gives the same span whether or not a harmless unknown key takes it off the fast path."""
    fields: dict[str, Any] = {f.name: 1 for f in FIELDS if f.kind in ("int", "float")}
    body = fields | {"http_status": 200} | SPAN
    fast, slow = read(body), read(body | {"unknown_key": 1})
    assert fast.spans == slow.spans
    assert isinstance(fast.spans[0], Span)
