"""OTLP spans read over many messages become what each message becomes by itself."""

import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from tests.collectors.decode.both_ways import check, eager, messages

from undertow_collectors.decode import otlp_cells
from undertow_collectors.decode.attributes import PLAN

__all__ = ["eager"]
pytestmark = pytest.mark.usefixtures("eager")

T0 = 1_790_000_000_000_000_000
PLAIN: dict[str, Any] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "azure_openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.request.stream": True,
    "gen_ai.response.id": "chatcmpl-1",
    "gen_ai.response.finish_reasons": ["stop"],
    "gen_ai.response.time_to_first_chunk": 0.25,
    "gen_ai.usage.input_tokens": 1200,
    "gen_ai.usage.output_tokens": 80,
    "server.address": "api.openai.com",
}


def any_value(value: Any) -> AnyValue:
    """`value` as OTLP says it."""
    found = AnyValue()
    if isinstance(value, list):
        found.array_value.values.extend(map(any_value, value))
    elif value is not None:
        kind = {str: "string_value", bool: "bool_value", int: "int_value", float: "double_value", bytes: "bytes_value"}
        setattr(found, kind[type(value)], value)
    return found


def request(spans: Sequence[dict[str, Any]], first: int, service: str = "edge", scope: str = "sdk") -> TracesData:
    """A request of spans with these attributes; `first` makes their ids."""
    traces = TracesData()
    group = traces.resource_spans.add()
    group.resource.attributes.add(key="service.name").value.string_value = service
    group.resource.attributes.add(key="service.version").value.string_value = "1.2" if first % 2 else ""
    scoped = group.scope_spans.add()
    scoped.scope.name = scope
    for number, attributes in enumerate(spans, first):
        ids = {"trace_id": number.to_bytes(16, "big"), "span_id": number.to_bytes(8, "big")}
        start = T0 + number * 10**9
        span = scoped.spans.add(**ids, name="chat", start_time_unix_nano=start, end_time_unix_nano=start + 7 * 10**8)
        for key, value in attributes.items():
            span.attributes.add(key=key).value.CopyFrom(any_value(value))
    return traces


def many(bodies: Sequence[Sequence[dict[str, Any]]], **options: Any) -> list[bytes]:
    """Each of these as a message, ids and response ids never repeated."""
    found, first = [], 1
    for spans in bodies:
        own = [
            s | {"gen_ai.response.id": f"r{first + n}"} if "gen_ai.response.id" in s else s for n, s in enumerate(spans)
        ]
        found.append(request(own, first, **options).SerializeToString())
        first += len(spans)
    return found


def is_fast(sent: Sequence[bytes]) -> bool:
    """Whether all of it went through columns; the fast way tries few messages until it has succeeded."""
    for _ in range(8):
        parts = check(messages(sent))
    return all(part.decoded.columns is not None for part in parts)


def test_plain_calls_become_one_part() -> None:
    """Messages of plain calls are one run once the fast way trusts its sender."""
    sent = many([[PLAIN | {"gen_ai.usage.output_tokens": n}] * 3 for n in range(100)])
    assert is_fast(sent)
    assert len(check(messages(sent))) <= 2


@pytest.mark.parametrize(
    "change",
    [
        {"gen_ai.usage.input_tokens": 0, "gen_ai.usage.output_tokens": 0},
        {"gen_ai.request.stream": False},
        {"gen_ai.system": "openai"},
        {"gen_ai.usage.prompt_tokens": 7},
        {"gen_ai.request.temperature": 0},
        {"gen_ai.request.temperature": 0.5, "gen_ai.usage.cost": 0.0},
        {"gen_ai.usage.cost": 0.002},
        {"gen_ai.request.max_tokens": "12"},
        {"gen_ai.request.top_p": 0.9, "server.port": 443},
        {"gen_ai.input.messages": "x" * 300},
        {"http.response.status_code": 200},
        {"gen_ai.response.id": "é" * 20},
        {"gen_ai.output.type": "json"},
    ],
)
def test_what_the_fast_way_takes(change: dict[str, Any]) -> None:
    """Calls with what instrumentations usually add stay on the fast way, alone and among others."""
    assert is_fast(many([[PLAIN | change, PLAIN], [PLAIN | change], [PLAIN]]))


@pytest.mark.parametrize("name", ["gen_ai.request.stream", "gen_ai.usage.input_tokens", "gen_ai.response.id"])
def test_what_may_be_missing(name: str) -> None:
    """So do calls that lack something."""
    without = {key: value for key, value in PLAIN.items() if key != name}
    assert is_fast(many([[without, PLAIN], [without]]))


def test_an_odd_message_costs_itself() -> None:
    """A failure among plain calls is a part of its own."""
    sent = many([[PLAIN], [PLAIN | {"error.type": "timeout"}], [PLAIN]])
    assert [part.decoded.columns is None for part in check(messages(sent))] == [False, True, False]


def test_kept_labels() -> None:
    """An attribute that is wanted as a label is read."""
    sent = many([[PLAIN | {"team": "a"}], [PLAIN]])
    first, second = check(messages(sent), keep_labels=frozenset({"team"}))
    assert first.decoded.spans[0].labels == {"team": "a", "gateway_version": "1.2"}
    assert second.decoded.columns is not None


def test_spans_that_belong_together() -> None:
    """Calls inside of calls, and calls told twice, are joined as always."""
    inside = request([PLAIN, PLAIN], 1)
    outer, inner = inside.resource_spans[0].scope_spans[0].spans
    inner.trace_id, inner.parent_span_id = outer.trace_id, outer.span_id
    inner.start_time_unix_nano = outer.start_time_unix_nano
    twice = request([PLAIN, PLAIN], 11)
    for span in twice.resource_spans[0].scope_spans[0].spans:
        span.start_time_unix_nano = T0
    found = check(messages([inside.SerializeToString(), twice.SerializeToString()]))
    assert all(part.decoded.skipped for part in found)


@pytest.mark.parametrize("scope", ["litellm", "openlit.otel", "openlit", "other"])
def test_scopes(scope: str) -> None:
    """Whatever library wrote it."""
    check(messages(many([[PLAIN], [PLAIN | {"gen_ai.provider.name": "anthropic"}]], scope=scope)))


def test_two_instrumentations_in_one_message() -> None:
    """Calls that two scopes tell of beside each other are counted once, as always."""
    without = {key: value for key, value in PLAIN.items() if key != "gen_ai.response.id"}
    both = request([without], 1, scope="one")
    other = request([without], 2, scope="two")
    other.resource_spans[0].scope_spans[0].spans[0].start_time_unix_nano = T0 + 10**9
    other.resource_spans[0].scope_spans[0].spans[0].end_time_unix_nano = T0 + 17 * 10**8
    both.resource_spans[0].resource.CopyFrom(other.resource_spans[0].resource)
    both.resource_spans[0].scope_spans.append(other.resource_spans[0].scope_spans[0])
    (part,) = check(messages([both.SerializeToString()]))
    assert part.decoded.skipped == {"instrumented_twice": 1}


keys = st.sampled_from(
    [*PLAIN, *PLAIN, *PLAN, "gen_ai.prompt.0.content", "gen_ai.completion.0.content", "other", "k" * 130]
)
cells = st.one_of(
    st.sampled_from(
        ["chat", "openai", "stop", '"stop"', "None", "", "gpt-4o", "True", "12", "['stop']", "x" * 600, "https://a.b/c"]
    ),
    st.sampled_from([0, 1, 200, 499, -1, 2**53 + 1, 0.0, 1.5, float("nan"), float("inf"), -2.0, 2e9]),
    st.sampled_from([True, False, None, ["stop"], [], [1], b"raw"]),
)
spans = st.dictionaries(keys, cells, max_size=4).map(lambda change: PLAIN | change)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(spans, min_size=1, max_size=3), min_size=1, max_size=6))
def test_any_attributes(bodies: list[list[dict[str, Any]]]) -> None:
    """Attributes of any kind and with any value."""
    check(messages(many(bodies)))


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32))
def test_damaged_messages(seed: int) -> None:
    """Messages with some bytes changed, cut or doubled."""
    rng = random.Random(seed)
    sent = [bytearray(body) for body in many([[PLAIN, PLAIN | {"other": "x"}], [PLAIN], [PLAIN]])]
    for body in sent[:2]:
        for _ in range(rng.choice((1, 1, 2))):
            at = rng.randrange(len(body))
            body[at : at + rng.choice((0, 1, 1, 1))] = rng.choice((b"", b"\0", b"\x0a", b"\x80", rng.randbytes(1)))
    check(messages(list(map(bytes, sent))))


def test_a_reader_that_reads_differently_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: a wrong meaning of a provider fails the comparison."""
    monkeypatch.setitem(otlp_cells._MEANING, "provider", lambda *_: "nobody")
    sent = many([[PLAIN | {"gen_ai.provider.name": "seen-nowhere-else"}]])
    with pytest.raises(AssertionError):
        check(messages(sent))


@pytest.mark.parametrize(
    "more",
    [
        {"gen_ai.usage.cache_creation.input_tokens": 4000},
        {"gen_ai.usage.cache_creation.input_tokens": 3},
        {"gen_ai.usage.cache_creation.input_tokens": "x"},
        {"gen_ai.usage.total_tokens": 16, "gen_ai.usage.reasoning.output_tokens": 2},
        {"gen_ai.usage.total_tokens": 18, "gen_ai.usage.reasoning.output_tokens": 2},
        {"gen_ai.usage.total_tokens": 16},
        {"gen_ai.usage.prompt_tokens": 120},
        {"gen_ai.usage.cache_read.input_tokens": 3120},
        {"gen_ai.usage.output_tokens": 0},
        {"gen_ai.usage.output_tokens": 0, "gen_ai.usage.reasoning.output_tokens": 2},
        {
            "gen_ai.usage.cache_read.input_tokens": 8,
            "gen_ai.usage.reasoning.output_tokens": 4,
            "gen_ai.usage.total_tokens": 28,
        },
        {"gen_ai.response.time_to_first_chunk": 812.0},
        {"gen_ai.response.time_to_first_chunk": 15.0},
    ],
)
@pytest.mark.parametrize("asked", [0, 11, 5000])
def test_parts_and_wholes_are_settled_alike(more: dict[str, Any], asked: int) -> None:
    """Tokens and times that contradict each other become the same by both ways."""
    usual = PLAIN | {"gen_ai.usage.input_tokens": asked, "gen_ai.usage.output_tokens": 5}
    check(messages(many([[usual | (more if n % 3 == 1 else {})] * 3 for n in range(30)])))


@pytest.mark.parametrize("reason", ["abort", "cancelled", "failed", "error", "FINISH_REASON_STOP", "EndSequence"])
def test_reasons_that_tell_an_outcome_are_read_alike(reason: str) -> None:
    """An answer that the application left, or that failed, is so by both ways."""
    odd = PLAIN | {"gen_ai.response.finish_reasons": [reason]}
    check(messages(many([[odd if n % 3 == 1 else PLAIN] * 3 for n in range(30)])))
