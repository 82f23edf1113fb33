"""Messages that mean harm, by accident or not: each costs one reject with a name, quickly."""

import gzip
import json
import resource
import time
from collections.abc import Callable
from typing import Any

import pytest
import zstandard

from undertow.batch import Decoded, Message, Origin
from undertow_collectors.decode import registry
from undertow_collectors.decode.registry import FORMATS, decode, inflate

Read = Callable[..., Decoded]
SPAN = '{"span_id": "a", "started_at": 1.79e9, "provider": "openai", "model": "gpt-4o", "KEY": VALUE}'
PAYLOAD = '{"id": "a", "startTime": 1.79e9, "custom_llm_provider": "openai", "model_group": "gpt-4o", "KEY": VALUE}'
OTLP = '{"resourceSpans": [{"scopeSpans": [{"spans": [{"KEY": VALUE}]}]}]}'

POISON = {
    "NaN": "non_finite_number",
    "-Infinity": "non_finite_number",
    "Infinity": "non_finite_number",
    '"\\ud800"': "invalid_unicode",
    '"\\udc00 tail"': "invalid_unicode",
    '"\\ud83d plain"': "invalid_unicode",
    "18446744073709551616": "integer_too_large",
    "9223372036854775808": "integer_too_large",
    "-9223372036854775809": "integer_too_large",
    "[" * 100_000: "too_deep",
    '{"a":' * 100_000: "too_deep",
    "tru": "invalid_json",
}


@pytest.mark.parametrize("template", [SPAN, PAYLOAD, OTLP], ids=["native", "litellm", "otlp_json"])
@pytest.mark.parametrize(("value", "reason"), POISON.items(), ids=lambda v: v[:12])
@pytest.mark.parametrize("key", ["extra", "messages"])
def test_poison_is_refused_wherever_it_stands(read: Read, template: Any, value: Any, reason: Any, key: Any) -> None:
    """What the store cannot hold is refused in any JSON format, under a name of its own, even in keys nobody reads."""
    body = template.replace("KEY", key).replace("VALUE", value)
    assert [r.reason for r in read(body).rejects] == [reason]


@pytest.mark.parametrize("value", ["NaN", '"\\ud800"', "18446744073709551616"])
def test_poison_in_a_field_of_the_span(read: Read, value: Any) -> None:
    """The same in fields that are read: text, and a number without a limit of its own."""
    for key in ("response_id", "temperature", "input_tokens"):
        assert len(read(SPAN.replace("KEY", key).replace("VALUE", value)).rejects) in (0, 1)
        assert read(SPAN.replace("KEY", key).replace("VALUE", value)).read == 1


def test_python_accepts_what_is_refused_here() -> None:
    """Negative control: the json module lets all of it through, a parser alone is no protection."""
    for value in ("NaN", "Infinity", '"\\ud800"', "18446744073709551616"):
        json.loads(SPAN.replace("VALUE", value))


@pytest.mark.parametrize(
    "value", ['"9223372036854775808"', '"is 18446744073709551616, so"', "9223372036854775807", "1.5e300"]
)
def test_harmless_look_alikes_pass(read: Read, value: Any) -> None:
    """Digits inside a string, the largest 64-bit integer and large floats are no poison."""
    assert len(read(SPAN.replace("KEY", "extra").replace("VALUE", value)).spans) == 1


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "empty_message"),
        (b"  \n ", None),
        (b"\x00", None),
        (b"garbage", None),
        (b"\xff\xfe{\x00}\x00", None),
        (b"{", "invalid_json"),
        (SPAN.replace("KEY", "temperature").replace("VALUE", "1e999").encode(), "non_finite_number"),
        (b'{"span_id": "\xff"}', "invalid_unicode"),
        (b'"text"', None),
        (b"null", None),
        (b"\x1f\x8bnot gzip", "invalid_compression"),
        (gzip.compress(b"{}" * 99, mtime=0)[:-12], "invalid_compression"),
        (b"\x28\xb5\x2f\xfdnot zstd", "invalid_compression"),
        (zstandard.compress(b"{}" * 99)[:-3], "invalid_compression"),
        (b'{"resourceMetrics": []}', "unsupported_format"),
        (b'{"resourceSpans": 3}', "unexpected_type"),
        (b"[" + b"1," * 100_001 + b"1]", "too_many_items"),
    ],
)
def test_rubbish_is_one_reject(read: Read, value: Any, reason: Any) -> None:
    """What is no message of any format is one reject; the bytes are told by hash and length alone."""
    decoded = read(value)
    assert decoded.read == len(decoded.rejects) == 1
    assert reason in (None, decoded.rejects[0].reason)
    assert (decoded.rejects[0].length, len(decoded.rejects[0].sha256)) == (len(value), 64)
    assert decoded.rejects[0].payload is None


@pytest.mark.parametrize(
    "body", [b"[]", b'{"resourceSpans": []}', b'{"resourceSpans": [{"scopeSpans": []}]}', b"\n\n[]"]
)
def test_messages_of_nothing_are_skipped(read: Read, body: Any) -> None:
    """An empty list is valid and holds nothing; it is counted, not refused."""
    assert read(body).skipped == {"no_spans": 1}


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.ZstdCompressor().compress])
def test_packed_bodies(read: Read, pack: Any) -> None:
    """Bodies in gzip or zstd are unpacked, several members and frames too."""
    body = SPAN.replace("VALUE", "1").encode()
    assert len(read(pack(body)).spans) == 1
    assert len(read(pack(body + b"\n") + pack(body)).spans) == 2


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.ZstdCompressor().compress], ids=["gzip", "zstd"])
def test_a_bomb_is_refused_at_the_cap(read: Read, pack: Any) -> None:
    """A small body that inflates to more than the cap is refused having held little more than the cap."""
    bomb = pack(bytes(4 * registry.MAX_BYTES))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.monotonic()
    decoded = read(bomb)
    assert [r.reason for r in decoded.rejects] == ["too_large"]
    assert time.monotonic() - started < 5
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert grown < 3 * registry.MAX_BYTES


def test_a_message_over_the_cap_is_refused(monkeypatch: Any) -> None:
    """The cap holds for plain bodies too."""
    monkeypatch.setattr(registry, "MAX_BYTES", 100)
    with pytest.raises(Exception, match="too_large"):
        inflate(b" " * 101)


def test_a_decoders_own_mistake_is_a_reject(monkeypatch: Any, read: Read) -> None:
    """A bug in a decoder costs the message, not the partition, and is told by its type without the data."""

    def broken(*_: Any) -> Decoded:
        raise ZeroDivisionError("secret text")

    monkeypatch.setitem(FORMATS, "litellm", broken)
    decoded = read(PAYLOAD.replace("VALUE", "1"))
    assert [(r.reason, r.detail) for r in decoded.rejects] == [("decoder_error", "ZeroDivisionError")]


def test_the_bytes_are_kept_only_on_request(read: Read) -> None:
    """`keep_text` puts the message into its first reject."""
    decoded = read("[{}, {}]", keep_text=True)
    assert [r.payload for r in decoded.rejects] == [b"[{}, {}]", None]


@pytest.mark.parametrize("name", [*FORMATS, "auto"])
def test_no_format_raises_on_anothers_message(name: Any, curated: list[tuple[str, Message]]) -> None:
    """Each format by name takes any message of any other without an exception."""
    bodies = [SPAN.encode(), PAYLOAD.encode(), b"\x0a\x03abc", b"", *(m.value for _, m in curated[:5])]
    for value in bodies:
        assert decode(Message(Origin("t", 0, 0), value), format=name).read >= 1
