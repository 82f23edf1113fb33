"""Field maps of a configuration, from the file to the span."""

import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from undertow.batch import HTTP, Decoded, Message, Origin
from undertow.commands.explain import as_object, as_text, records
from undertow.fieldmaps import HELPERS
from undertow.loading import load
from undertow.span import FIELDS, Span
from undertow_collectors.decode.fieldmap import FieldMap, at
from undertow_collectors.decode.jsonlog import JsonLog
from undertow_collectors.decode.maps import Custom, Maps, compiled
from undertow_collectors.decode.provenance import Provenance
from undertow_collectors.decode.registry import decode

SHIPPING = Path(__file__).parents[3] / "docs" / "shipping.md"
RECORD = {
    "user_id": "u-17",
    "model": "gpt-4o",
    "tokens_in": 812,
    "tokens_out": 120,
    "latency_ms": 1532,
    "response_hash": "5d41402abc4b2a76b9719d911017c592",
}
Load = Callable[[str], Maps]


@pytest.fixture(name="maps")
def _maps(tmp_path: Path) -> Load:
    """The maps of a configuration file."""

    def maps(text: str) -> Maps:
        path = tmp_path / "undertow.toml"
        path.write_text(text)
        config = load(path, {})
        assert config.kafka is not None
        return compiled(config.kafka.field_map)

    return maps


def home(*lines: str) -> str:
    """A map named `home`, with more lines at its top."""
    return "\n".join(
        [
            '[[kafka.field_map]]\nname = "home"',
            *lines,
            "[kafka.field_map.fields]",
            'model = "model"',
            'status = "outcome"',
        ]
    )


def read(maps: Maps, record: Any, topic: str = "gateway_log", **options: Any) -> Decoded:
    """A record off a topic."""
    return decode(Message(Origin(topic, 3, 14), json.dumps(record).encode(), 1_790_000_000.0), maps=maps, **options)


def test_the_guides_example_is_what_it_says(maps: Load) -> None:
    """The record and the configuration of "Your own gateway" in docs/shipping.md give the span that stands there."""
    guide = SHIPPING.read_text().partition("## Your own gateway")[2]
    record, configuration, span = re.findall(r"```(?:json|toml)\n(.*?)```", guide, re.DOTALL)[:3]
    assert tomllib.loads(configuration)
    assert json.loads(record) == RECORD
    decoded = read(maps(configuration), json.loads(record))
    assert (decoded.format, len(decoded.spans), dict(decoded.unknown)) == ("home", 1, {})
    found = {k: v for k in decoded.spans[0].__struct_fields__ if (v := getattr(decoded.spans[0], k)) is not None}
    assert found.pop("cost_derived")
    assert found.pop("cost_usd") > 0  # of a list of prices that changes
    assert found == json.loads(span)
    assert decoded.derived == {"provider": 1, "span_id": 1, "started_at": 1, "cost_usd": 1}


@pytest.mark.parametrize(
    ("lines", "topic", "record", "expected"),
    [
        (['topic = "gateway_log"'], "gateway_log", {"model": "m"}, "home"),
        (['topic = "gateway_log"'], "other", {"model": "m"}, "native"),
        (['topic = "gateway_log"'], "file:x.jsonl", {"model": "m"}, "native"),
        (['required = ["tokens_in", "usage.out"]'], "any", {"model": "m", "tokens_in": 1, "usage": {"out": 1}}, "home"),
        (['required = ["tokens_in", "usage.out"]'], "any", {"model": "m", "tokens_in": 1, "usage.out": 1}, "home"),
        (['required = ["tokens_in", "usage.out"]'], "any", {"model": "m", "tokens_in": 1}, "native"),
        (['topic = "t"', 'required = ["x"]'], "t", {"model": "m", "x": 1}, "home"),
        (['topic = "t"', 'required = ["x"]'], "t", {"model": "m"}, "native"),
        (['topic = "t"', 'required = ["x"]'], "u", {"model": "m", "x": 1}, "native"),
        (['topic = "t"', 'required = ["x"]'], HTTP, {"model": "m", "x": 1}, "home"),
        (['topic = "http"', 'required = ["x"]'], "http", {"model": "m", "x": 1}, "home"),
        (['topic = "t"', 'required = ["x"]'], "http", {"model": "m", "x": 1}, "native"),
        (['topic = "t"', 'required = ["x"]'], "file:a", {"model": "m", "x": 1}, "home"),
        (['required = ["x"]'], "t", {"model_group": "g", "x": 1}, "home"),
        ([], "t", {"model": "m"}, "native"),
    ],
)
def test_which_messages_are_recognised(maps: Load, lines: Any, topic: Any, record: Any, expected: Any) -> None:
    """By topic, by keys, by both; files and HTTP have no topic; a map goes before the built-in formats."""
    assert read(maps(home(*lines)), record, topic).format == expected


def test_a_map_without_signs_is_read_by_name(maps: Load) -> None:
    """`kafka.format` and `--format` name it."""
    assert read(maps(home()), {"model": "m"}, format="home").spans[0].model == "m"


def test_native_spans_stay_native(maps: Load) -> None:
    """On a topic of a map, what is a native span without a mistake is read as one."""
    span = {"span_id": "a", "started_at": 1.79e9, "provider": "openai", "model": "m"}
    assert read(maps(home('topic = "t"')), span, "t").format == "native"


def test_one_bad_record_costs_one_record(maps: Load) -> None:
    """Records of a message are read one by one; each reject says where it stood."""
    decoded = read(
        maps(home()), [{"model": "m"}, 3, {"x": 1}, {"model": "m", "outcome": "?"}, {"model": "n"}], format="home"
    )
    assert [s.span_id for s in decoded.spans] == [f"gateway_log:3:14:{n}@1790000000000" for n in (0, 4)]
    assert [(r.index, r.reason) for r in decoded.rejects] == [
        (1, "not_an_object"),
        (2, "missing_model"),
        (3, "invalid_status"),
    ]
    assert "?" not in "".join(r.detail for r in decoded.rejects)


def test_unread_keys_are_counted_and_kept_as_labels(maps: Load) -> None:
    """What no rule names is counted by name; `store.keep_labels` takes it as a label, by a path, too."""
    record = {"model": "m", "team": "a", "meta": {"shard": 3, "x": 1}, "note": "n"}
    decoded = read(maps(home()), record, format="home", keep_labels=frozenset({"team", "meta.shard", "absent"}))
    assert decoded.spans[0].labels == {"team": "a", "meta.shard": "3"}
    assert decoded.unknown == {"meta": 1, "note": 1}


@pytest.mark.parametrize("outcome", ["OK", "success", 200, "200", True, None])
def test_a_success_by_any_word(maps: Load, outcome: Any) -> None:
    """Words, codes and booleans for success, and nothing at all."""
    assert read(maps(home()), {"model": "m", "outcome": outcome}, format="home").spans[0].status == "ok"


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"outcome": "FAILED"}, ("error", "other", None)),
        ({"outcome": 429}, ("error", "rate_limited", 429)),
        ({"outcome": "cancelled", "code": 499}, ("cancelled", None, 499)),
        ({"code": 429}, ("error", "rate_limited", 429)),
        ({"code": "500"}, ("error", "server_error", 500)),
        ({"code": 499}, ("cancelled", None, 499)),
        ({"code": 200}, ("ok", None, 200)),
        ({"outcome": "ok", "code": 503}, ("error", "server_error", 503)),
        ({"error": "RateLimitError"}, ("error", "rate_limited", None)),
        ({"error": "ReadTimeout", "code": 200}, ("error", "timeout", 200)),
        ({"error": "ClientDisconnected"}, ("cancelled", None, None)),
        ({"error": "timeout", "outcome": "error"}, ("error", "timeout", None)),
    ],
)
def test_outcomes(maps: Load, record: Any, expected: Any) -> None:
    """Status, HTTP status and error name together say how a call ended; what each leaves open the others fill."""
    found = maps(home() + '\nhttp_status = "code"\nerror_class = "error"\n')
    span = read(found, record | {"model": "m"}, format="home").spans[0]
    assert (span.status, span.error_class, span.http_status) == expected


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"s": 100, "e": 102.5}, (100, 2.5, None)),
        ({"s": 100, "e": 102.5, "d": 9}, (100, 9, None)),
        ({"e": 102.5, "d": 2}, (100.5, 2, None)),
        ({"e": 102.5}, (102.5, None, None)),
        ({"s": 100, "e": 99}, (100, None, None)),
        ({"s": 100, "e": 102.5, "f": 100.5}, (100, 2.5, 0.5)),
        ({"s": 100, "e": 102.5, "f": 99}, (100, 2.5, None)),
        ({"s": 100, "f": 100.5, "stream": False}, (100, None, None)),
        ({"d": 4}, (1_789_999_996, 4, None)),
    ],
)
def test_times_make_up_for_each_other(maps: Load, record: Any, expected: Any) -> None:
    """Start, end, first token and duration: two give the third; without any, the message's own time is the end."""
    rules = '\nstarted_at = "s"\nended_at = "e"\nfirst_token_at = "f"\nduration_s = "d"\nstream = "stream"\n'
    span = read(maps(home() + rules), record | {"model": "m"}, format="home").spans[0]
    assert (span.started_at, span.duration_s, span.ttft_s) == expected


def test_bodies_are_looked_at_and_forgotten(maps: Load) -> None:
    """A request and a response body, as an object or as JSON in a string, give parameters, identity and features."""
    answer = {"role": "assistant", "content": "secret words"}
    response = {
        "id": "r1",
        "model": "gpt-4o-2024-11-20",
        "system_fingerprint": "fp_1",
        "choices": [{"finish_reason": "length", "message": answer}],
    }
    request = {"max_tokens": 9, "temperature": 0.2, "stream": True}
    found = maps(home() + '\nrequest_body = "req"\nresponse_body = "res"\n')
    for bodies in ({"req": request, "res": response}, {"req": json.dumps(request), "res": json.dumps(response)}):
        decoded = read(found, bodies | {"model": "gpt-4o"}, format="home")
        span = decoded.spans[0]
        assert (span.response_id, span.response_model, span.system_fingerprint) == ("r1", "gpt-4o-2024-11-20", "fp_1")
        assert (span.max_tokens, span.temperature, span.stream) == (9, 0.2, True)
        assert (span.finish_reason, span.response_chars, span.refusal) == ("length", 12, False)
        assert decoded.derived["response_chars"] == 1
        assert "secret" not in repr(decoded)


def test_a_bare_text_is_looked_at_and_forgotten(maps: Load) -> None:
    """Where the log has the answer's text and no body, the text gives what it can."""
    found = maps(home() + '\nresponse_text = "text"\nfinish_reason = "why"\n')
    decoded = read(found, {"model": "m", "text": "secret words", "why": "end_turn"}, format="home")
    span = decoded.spans[0]
    assert (span.response_chars, span.refusal, span.finish_reason) == (12, False, "stop")
    assert "secret" not in repr(decoded)
    assert read(found, {"model": "m", "text": "secret", "outcome": "failed"}, format="home").spans[0].refusal is None


def test_the_provider_is_guessed_last(maps: Load) -> None:
    """Named, else by the host, else by the model's prefix, else unknown; guesses and constants are derived."""
    found = maps(home() + '\nprovider = "p"\nserver_address = "host"\n')
    for record, provider, derived in (
        ({"p": "azure"}, "azure.ai.openai", 0),
        ({"host": "api.mistral.ai"}, "mistral_ai", 1),
        ({"model": "bedrock/claude"}, "aws.bedrock", 1),
        ({}, "unknown", 1),
    ):
        decoded = read(found, {"model": "m"} | record, format="home")
        assert (decoded.spans[0].provider, decoded.derived["provider"]) == (provider, derived)


WIDE = FieldMap(
    {
        **{field.name: at(field.name, f"{field.name}.a", "x.0") for field in FIELDS},
        **{name: at(name, "y") for name in HELPERS},
        "labels.z": at("z"),
        "signals.z": at("z"),
    }
)
names = st.sampled_from([*(field.name for field in FIELDS), *HELPERS, "x", "y", "z"])
scalars = st.none() | st.booleans() | st.integers(-(2**64), 2**64) | st.floats() | st.text(max_size=6)
values = st.recursive(scalars, lambda c: st.lists(c, max_size=3) | st.dictionaries(st.text(max_size=3), c, max_size=3))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(names, values, max_size=12), st.booleans())
def test_records_of_any_shape(record: dict[str, Any], asked: bool) -> None:
    """Whatever stands in a record, a map makes one span or one reject of it, and --explain can tell."""
    sources = Provenance() if asked else None
    maps = {"wide": Custom(JsonLog("wide", WIDE, caller=("labels",)), None, ())}
    body = json.dumps({"model": "m"} | record).encode()
    message = Message(Origin("t", 0, 0), body, 1.79e9)
    decoded = decode(message, "wide", keep_labels=frozenset({"z", "x.0"}), maps=maps, sources=sources)
    assert decoded.read == 1
    assert "decoder_error" not in {reject.reason for reject in decoded.rejects}
    for span in decoded.spans:
        assert msgspec.json.decode(msgspec.json.encode(span), type=Span) == span
    if sources is not None:
        for one in records(decoded, sources):
            assert as_text(one, message.origin, decoded.format).encode("utf-8", "replace")
            assert msgspec.json.encode(as_object(one, message.origin, decoded.format))
