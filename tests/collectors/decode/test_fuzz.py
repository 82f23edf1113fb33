"""Whatever a message holds, it becomes spans, counted skips or rejects, and every span can be stored."""

import copy
import gzip
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from undertow.batch import Decoded, Message, Origin
from undertow.span import FIELDS, Span
from undertow_collectors.decode.registry import FORMATS, decode

Capture = Callable[[str], list[Message]]
Curated = list[tuple[str, Message]]
CASES, SOAK_CASES = 4_000, 100_000
ARROW = {"str": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}


def check(value: bytes, format: str = "auto") -> Decoded:  # noqa: A002
    """Decode `value` and hold the result to the promise."""
    decoded = decode(Message(Origin("t", 0, 0), value, 1.79e9), format=format, keep_labels=frozenset({"team"}))
    assert decoded.read >= 1
    assert decoded.read == len(decoded.spans) + len(decoded.rejects) + decoded.skipped.total()
    assert all(reject.reason and len(reject.reason) < 64 and reject.sha256 for reject in decoded.rejects)
    assert not any(reject.reason == "decoder_error" for reject in decoded.rejects), decoded.rejects
    storable(decoded.spans)
    return decoded


def storable(spans: list[Span]) -> None:
    """Every span is valid, goes through JSON, and its columns go into Arrow and out again."""
    for span in spans:
        assert msgspec.json.decode(msgspec.json.encode(span), type=Span) == span
    for field in FIELDS:
        if field.kind in ARROW:
            column = pa.array([getattr(span, field.name) for span in spans], ARROW[field.kind])
            column.validate(full=True)


def graft(value: bytes, rng: random.Random) -> bytes:
    """A JSON message with some values, anywhere in its tree, replaced by strange ones."""
    try:
        root = json.loads(value)
    except ValueError:
        return value
    for _ in range(rng.choice((1, 2, 5))):
        node, key = [root], 0
        while isinstance(node[key], list | dict) and node[key] and rng.random() < 0.9:
            node = node[key]
            key = rng.randrange(len(node)) if isinstance(node, list) else rng.choice(list(node))
        node[key] = copy.deepcopy(rng.choice(STRANGE))
    return json.dumps(root).encode()


STRANGE: tuple[Any, ...] = (
    None, True, 0, -1, 2**63, 2**53 + 1, 1e300, float("nan"), "", "x" * 600, "\ud83d", "\x00", "499", "1e5", "['a']",
    [], {}, [[[1]]], {"a": {"b": 1}}, {"stringValue": 3}, {"intValue": "9" * 30}, {"arrayValue": {"values": [None]}},
    "True",
)  # fmt: skip


def mutate(value: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    """`value` with a few bytes flipped, cut, doubled, moved, spliced with another message, or poisoned."""
    data = bytearray(value)
    for _ in range(rng.choice((1, 1, 2, 3, 8))):
        at = rng.randrange(len(data) + 1)
        kind = rng.randrange(8)
        if kind == 0 and data:
            data[at % len(data)] = rng.randrange(256)
        elif kind == 1:
            del data[at : at + rng.choice((1, 2, 8, 64, 4096))]
        elif kind == 2:
            data[at:at] = rng.choice(TOKENS)
        elif kind == 3:
            data[at:at] = data[at : at + rng.randrange(200)]
        elif kind == 4:
            other = rng.choice(others)
            start = rng.randrange(len(other))
            data[at:] = other[start : start + 5000]
        elif kind == 5:
            data = data[:at]
        elif kind == 6:
            data[at : at + 4] = rng.randbytes(4)
        else:
            digits = [i for i in range(at, min(at + 400, len(data))) if 48 <= data[i] <= 57]
            for i in digits[: rng.randrange(1, 30)]:
                data[i] = rng.choice(b"0123456789-.e")
    packed = bytes(data)
    return gzip.compress(packed, 1, mtime=0) if rng.random() < 0.02 else packed


TOKENS = (
    b"NaN", b"-Infinity", b"1e999", b'"\\ud800"', b"null", b"true", b"{}", b"[]", b"[" * 3000, b'{"a":' * 3000,
    b"99999999999999999999", b"-1", b"\n", b"\x00", b"\xff", b"\xed\xa0\x80", b'","', b"\x0a\xff\xff\xff\xff\x0f",
)  # fmt: skip


@pytest.fixture(name="corpus", scope="module")
def _corpus(capture: Capture, curated: Curated) -> list[bytes]:
    """Small real messages of all formats."""
    folders = ("litellm-otel-v1-slp", "otel-official", "traceloop-nocontent", "openinference")
    found = [message.value for folder in folders for message in capture(folder)]
    logs = ("portkey", "helicone", "bifrost", "cloudflare", "openrouter", "langfuse", "kong", "apisix", "envoy")
    found += [message.value for folder in logs for message in capture(folder)] * 3
    encodings = ("jaeger_proto", "jaeger_json", "zipkin_proto", "zipkin_json")
    found += [message.value for encoding in encodings for message in capture(f"otelcol-{encoding}")]
    found += [message.value for _, message in curated]
    native = {"span_id": "a", "started_at": "2026-11-20T12:00:00Z", "provider": "openai", "model": "m", "team": "x"}
    full = native | {"input_tokens": 3, "labels": {"a": "b"}, "signals": {"ok": True}, "score": 0.5, "status": "ok"}
    return found + [json.dumps(body).encode() for body in (native, full, [full, native])] * 40


def mutants(corpus: list[bytes], cases: int, seed: int) -> Iterator[bytes]:
    """`cases` mutated messages."""
    rng = random.Random(seed)
    for _ in range(cases):
        value = rng.choice(corpus)
        yield graft(value, rng) if rng.random() < 0.5 else mutate(value, rng, corpus)


def outcomes(corpus: list[bytes], cases: int, seed: int) -> tuple[int, int, int]:
    """Spans, skips and rejects of that many mutants."""
    spans = skips = rejects = 0
    rng = random.Random(seed)
    for value in mutants(corpus, cases, seed):
        decoded = check(value, rng.choice(("auto",) * 12 + (*FORMATS,)))
        spans, skips, rejects = (
            spans + len(decoded.spans), skips + decoded.skipped.total(), rejects + len(decoded.rejects)
        )  # fmt: skip
    return spans, skips, rejects


def test_mutated_captures(corpus: list[bytes]) -> None:
    """Damaged real messages never raise; enough of them still hold spans that the check means something."""
    spans, _, rejects = outcomes(corpus, CASES, seed=1)
    assert spans > CASES / 10
    assert rejects > CASES / 10


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(10))
def test_100_000_mutated_captures(corpus: list[bytes], seed: Any) -> None:
    """The same, a hundred thousand times."""
    outcomes(corpus, SOAK_CASES // 10, seed=100 + seed)


scalars = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=20)
values = st.recursive(scalars, lambda c: st.lists(c, max_size=4) | st.dictionaries(st.text(max_size=8), c, max_size=4))
names = st.sampled_from([f.name for f in FIELDS]) | st.text(max_size=12)
natives = st.fixed_dictionaries(
    {"span_id": st.text(max_size=9), "started_at": st.floats(), "provider": st.text(max_size=9), "model": values},
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(natives, st.dictionaries(names, values, max_size=8))
def test_native_objects_of_any_shape(body: Any, more: Any) -> None:
    """Objects with the span's own keys and values of every type, surrogates and NaN among them."""
    check(json.dumps(body | more).encode())


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.sampled_from([*FORMATS, "auto"]))
def test_any_bytes(value: Any, format: Any) -> None:  # noqa: A002
    """Bytes of no meaning, through every format."""
    check(value, format)
    check(b"\x0a" + bytes([len(value) % 128]) + value, "otlp")


payload_keys = st.sampled_from(
    ["id", "startTime", "endTime", "response", "metadata", "model", "model_parameters", "error_information", "status"]
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(payload_keys, values, max_size=6))
def test_litellm_records_of_any_shape(body: dict[str, Any]) -> None:
    """Payload keys with values of every type."""
    check(json.dumps({"custom_llm_provider": "openai", "model_group": "m"} | body).encode())


def test_the_check_catches_a_span_the_store_would_refuse() -> None:
    """Negative control: a span built around the decoders, with half an emoji, fails the check."""
    span = Span(span_id="a", started_at=1.0, provider="p", model="\ud83d")
    with pytest.raises(UnicodeEncodeError):
        storable([span])


def test_the_check_catches_a_decoder_that_loses_a_message(monkeypatch: Any) -> None:
    """Negative control: a decoder that returns nothing, or raises, is caught."""

    def broken(*_: Any) -> Decoded:
        raise ZeroDivisionError

    monkeypatch.setitem(FORMATS, "native", broken)
    with pytest.raises(AssertionError):
        check(b'{"span_id": 1}')
