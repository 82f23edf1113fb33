"""Many messages at once become what each becomes by itself: spans, counts, rejects, and where they came from."""

import random
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.collectors.decode.both_ways import check, eager, messages

from undertow import columns
from undertow.batch import Message, Part
from undertow_collectors.decode import runs
from undertow_collectors.decode.runs import decode_run

__all__ = ["eager"]
pytestmark = pytest.mark.usefixtures("eager")

Capture = Callable[[str], list[Message]]
SPAN = {"span_id": "a", "started_at": 1.79e9, "provider": "openai", "model": "gpt-4o"}


def test_messages_that_are_alike_become_one_part() -> None:
    """A thousand objects without a mistake are one run, whose offsets may have gaps."""
    sent = messages([SPAN | {"span_id": f"s{n}", "input_tokens": n} for n in range(1000)], step=3)
    decode_run(sent)  # the first messages of a kind teach it
    (part,) = check(sent)
    assert part.decoded.columns is not None
    assert (part.origin.offset, part.next_offset, part.decoded.count) == (7, 7 + 3 * 999 + 1, 1000)


def test_arrays_become_one_part() -> None:
    """Spans keep the place that they have in their message."""
    sent = messages([[SPAN] * n for n in (1, 3, 2)])
    (part,) = check(sent)
    assert part.decoded.columns["index"].to_pylist() == [0, 0, 1, 2, 0, 1]


def test_one_bad_message_costs_one_message() -> None:
    """What the fast way does not take stands as a part of its own among the runs, in order."""
    sent = messages([SPAN, SPAN, b"{", SPAN | {"input_tokens": -1}, SPAN, [SPAN], SPAN | {"team": "a"}, SPAN])
    parts = check(sent, keep_labels=frozenset({"team"}), keep_text=True)
    assert [part.origin.offset for part in parts] == [7, 9, 10, 11, 12, 13, 14]


values: dict[str, st.SearchStrategy[Any]] = {
    "str": st.text(max_size=6) | st.sampled_from(["openai", "ok", "é", "\ud800", "x" * 513, "1" * 512]),
    "int": st.integers(0, 3) | st.sampled_from([-1, 2**53, 2**53 + 1, 2**70, 1.0, 1.5, True]),
    "float": st.floats(0, 9) | st.sampled_from([0, -1, 2**60, float("nan"), "1", 1e300]),
    "bool": st.booleans() | st.just(1),
    "map": st.dictionaries(st.sampled_from("abc"), st.sampled_from(["x", "", 1]), max_size=3),
    "json": st.dictionaries(st.sampled_from("abc"), st.sampled_from(["x", 1, 1.5, True, None]), max_size=3),
}
objects = st.fixed_dictionaries(
    {
        "span_id": st.text(max_size=3),
        "started_at": st.floats(0, 2e9),
        "provider": values["str"],
        "model": values["str"],
    },
    optional={
        **{f.name: values[f.kind] | st.none() for f in columns.FIELDS if not f.required},
        "operation": st.sampled_from(["chat", "embeddings", "rerank"]),
        "status": st.sampled_from(["ok", "error", "odd", None]),
        "finish_reason": st.sampled_from(["stop", "length", "odd", None]),
        "unheard_of": st.none(),
        "cost_derived": st.booleans(),
    },
)


@settings(max_examples=200, deadline=None)
@given(st.lists(objects | st.lists(objects, max_size=3), min_size=1, max_size=8), st.integers(1, 2))
def test_any_native_messages(bodies: list[Any], step: int) -> None:
    """Valid or not, in any mixture, with any fields: both ways agree."""
    check(messages(bodies, step))


RIGHT: dict[str, st.SearchStrategy[Any]] = {
    "str": st.sampled_from(["", "a", "é", "x" * 512]),
    "int": st.integers(0, 99),
    "float": st.floats(0, 1),
    "bool": st.booleans(),
    "map": st.dictionaries(st.sampled_from("abc"), st.sampled_from("xy"), max_size=3),
    "json": st.dictionaries(st.sampled_from("abc"), st.sampled_from(["x", 1.5, True]), max_size=3),
}
WHOLE = {"input_tokens": st.integers(99, 999), "output_tokens": st.integers(99, 999)}
"""Fields that are not smaller than what is a part of them."""
right = st.fixed_dictionaries(
    {key: st.just(value) for key, value in SPAN.items()},
    optional={
        f.name: st.none() | (st.sampled_from(f.values) if f.values else WHOLE.get(f.name, RIGHT[f.kind]))
        for f in columns.FIELDS
        if f.name not in {*SPAN, "operation", "status", "response_sha256", "cost_derived"}
    },
)


@settings(max_examples=100, deadline=None)
@given(st.lists(right | st.lists(right, min_size=1, max_size=3), min_size=1, max_size=8))
def test_right_native_messages(bodies: list[Any]) -> None:
    """Messages without a mistake, of any fields, all go the fast way."""
    assert all(part.decoded.columns is not None for part in check(messages(bodies)))


def test_names_beyond_the_list_are_taken() -> None:
    """A field with more names than are remembered is read as any text."""
    sent = messages([SPAN | {"model": f"m{n}", "route": f"r{n % 5}"} for n in range(400)])
    check(sent)
    assert len(check(sent)) == 1


@pytest.mark.parametrize(
    "body",
    [
        b'{"span_id":"a","started_at":1,"provider":"o","model":"m"} {"span_id":"b"}',
        b'{"span_id":"a","started_at":1,"provider":"o","model":"m","model":"n"}',
        b'\n{"span_id":"a",\n"started_at":1,"provider":"o","model":"m"}\n',
        b'{"span_id":"a","started_at":1,"provider":"o","model":"m","operation":null}',
        b'{"span_id":"\\u0061","started_at":1e0,"provider":"o","model":"\\ud83d\\ude00"}',
        b'{"span_id":"a","started_at":"2026-01-01T00:00:00Z","provider":"o","model":"m"}',
        b"[]",
        b"",
        b"[1]",
        b'\xef\xbb\xbf{"span_id":"a","started_at":1,"provider":"o","model":"m"}',
    ],
)
def test_objects_that_are_nearly_right(body: bytes) -> None:
    """Whatever the one way accepts, so does the other."""
    check(messages([SPAN, body, SPAN, [SPAN], body, [SPAN]]))


@pytest.mark.parametrize(
    "folder", ["litellm-otel-v1-slp", "litellm-otel-v2", "otel-official", "traceloop-nocontent", "openinference"]
)
def test_every_capture(capture: Capture, folder: str) -> None:
    """The captured messages of each gateway, one after the other."""
    found = [message.value for message in capture(folder)]
    check(messages(found))
    check(messages(found * 3), keep_labels=frozenset({"server.port", "service.name"}))


def test_curated_spans(curated: list[tuple[str, Message]]) -> None:
    """Single spans of every captured format, shuffled."""
    found = [message.value for _, message in curated]
    random.Random(3).shuffle(found)
    check(messages(found[:400]))


def test_a_way_that_reads_differently_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: a fast way with a wrong count fails the comparison."""

    def wrong(sent: Sequence[Message], keep: frozenset[str]) -> list[Part]:
        changed = [msgspec.json.decode(message.value) | {"input_tokens": 8} for message in sent]
        return runs.native_columns.take(messages(changed), keep)

    monkeypatch.setitem(runs.FAST, "auto", (wrong,))
    with pytest.raises(AssertionError):
        check(messages([SPAN | {"input_tokens": 7}]))


def test_short_runs_stay_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    """Among mistakes no table is made for a handful of spans, and they are seldom looked for."""
    monkeypatch.setattr(runs.native_columns.reach, "LEAST", 16)
    monkeypatch.setattr(runs, "MAX_WAIT", 64)
    asked: list[int] = []
    monkeypatch.setitem(
        runs.FAST, "auto", (lambda sent, keep: asked.append(len(sent)) or runs.native_columns.take(sent, keep),)
    )
    parts = check(messages([SPAN, b"{"] * 100))
    assert all(part.decoded.columns is None for part in parts)
    assert len(asked) < 10
    assert [part.decoded.count for part in check(messages([SPAN] * 16 + [b"{"]))] == [16, 0]
