"""LiteLLM's ordinary answers read over many messages become what each becomes by itself."""

import copy
import json
import random
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.collectors.decode.both_ways import check, eager, messages

from undertow_collectors.decode import litellm_columns

__all__ = ["eager"]
pytestmark = pytest.mark.usefixtures("eager")

USAGE = {"prompt_tokens_details": {"cached_tokens": 3}, "completion_tokens_details": {"reasoning_tokens": 0}}
PAYLOAD: dict[str, Any] = {
    "id": "chatcmpl-1",
    "trace_id": "t1",
    "litellm_call_id": "c1",
    "call_type": "acompletion",
    "stream": True,
    "status": "success",
    "custom_llm_provider": "azure",
    "startTime": 1790000000.5,
    "endTime": 1790000002.25,
    "completionStartTime": 1790000001.0,
    "response_cost": 0.0004,
    "prompt_tokens": 420,
    "completion_tokens": 15,
    "model": "azure/gpt-4o",
    "model_group": "gpt-4o",
    "model_id": "m-1",
    "api_base": "https://api.openai.com/v1",
    "cache_hit": False,
    "metadata": {
        "requester_metadata": {"prompt_version": "v2", "team": "a"},
        "user_api_key_alias": "support",
        "usage_object": USAGE,
        "prompt_management_metadata": None,
    },
    "hidden_params": {"additional_headers": {"x-litellm-attempted-retries": 0, "x-litellm-attempted-fallbacks": 1}},
    "messages": [{"role": "user", "content": "Say something"}],
    "model_parameters": {"temperature": 0.2, "max_tokens": 1024, "stream": True},
    "response": {
        "id": "chatcmpl-9",
        "model": "gpt-4o-2024-11-20",
        "system_fingerprint": "fp_1",
        "choices": [
            {
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": "Something was said.", "tool_calls": None},
            }
        ],
    },
    "error_information": {"error_code": "", "error_class": ""},
}


def sent(payloads: Sequence[Any]) -> list[bytes]:
    """Each payload in its envelope."""
    return [json.dumps({"_event": "success", "standard_logging_object": payload}).encode() for payload in payloads]


def changed(path: str, value: Any) -> dict[str, Any]:
    """The payload with `value` at a dotted path; numbers are places in lists, and `-` takes the key away."""
    found = copy.deepcopy(PAYLOAD)
    *way, last = [int(key) if key.isdecimal() else key for key in path.split(".")]
    node: Any = found
    for key in way:
        node = node[key]
    if value == "-":
        del node[last]
    else:
        node[last] = value
    return found


SHIPPED: dict[str, Any] = {
    **{key: PAYLOAD[key] for key in ("id", "litellm_call_id", *PAYLOAD) if key not in ("messages", "hidden_params")},
    "response": {"id": "chatcmpl-9", "model": "gpt-4o", "system_fingerprint": None},
    "undertow": {
        "attempt": 1,
        "fallback": True,
        "response_model": "gpt-4o-2024-11-20",
        "finish_reason": "stop",
        "tool_call_count": 0,
        "response_chars": 19,
        "refusal": False,
        "response_sha256": "0f" * 32,
        "signals": {"list": False, "markdown": False, "code_fence": False},
    },
}
"""The same as Undertow's own callback ships it."""


def is_fast(bodies: Sequence[bytes]) -> bool:
    """Whether all of it went through columns; the fast way tries few messages until it has succeeded."""
    for _ in range(8):
        parts = check(messages(bodies))
    return all(part.decoded.columns is not None for part in parts)


def test_ordinary_answers_become_one_part() -> None:
    """Answers that differ in ids, tokens and texts are one run once the fast way trusts its sender."""
    text = "response.choices.0.message.content"
    bodies = sent([changed(text, f"Number {n}.") | {"id": f"i{n}", "prompt_tokens": n + 3} for n in range(300)])
    assert is_fast(bodies)
    (part,) = check(messages(bodies))
    assert part.decoded.derived["response_chars"] == 300


TEXT = "response.choices.0.message.content"
TAKEN: list[tuple[str, Any]] = [
    (TEXT, "I'm sorry, but I can't help with that."),
    (TEXT, '{"a": 1}'),
    (TEXT, "- one\n- two\n```x```"),
    (TEXT, ""),
    (TEXT, "redacted-by-litellm"),
    (TEXT, "naïve \U0001f600"),
    (TEXT, "x" * 2000 + "(litellm_truncated 5 chars)"),
    ("model_parameters.response_format", {"type": "json_object"}),
    ("response.choices.0.message.tool_calls", "-"),
    ("response.choices.0.message.provider_specific_fields", {"refusal": None}),
    ("response.choices.0.finish_reason", None),
    ("response.choices.0.finish_reason", "length"),
    ("response.model", "gpt-4o"),
    ("response.id", ""),
    ("response_cost", None),
    ("response_cost", 0.0),
    ("completionStartTime", None),
    ("completionStartTime", 1790000002.25),
    ("stream", None),
    ("stream", False),
    ("litellm_call_id", "chatcmpl-1"),
    ("model_group", None),
    ("model_id", None),
    ("hidden_params", None),
    ("metadata.usage_object", None),
    ("metadata.requester_metadata", None),
    ("metadata.prompt_management_metadata", {"prompt_id": "p"}),
    ("metadata.user_api_key_alias", None),
    ("custom_llm_provider", "openai"),
    ("api_base", None),
    ("trace_id", ""),
    ("model_parameters", {}),
]


@pytest.mark.parametrize(("path", "value"), TAKEN)
def test_what_the_fast_way_takes(path: str, value: Any) -> None:
    """Ordinary answers in all their variety stay on the fast way."""
    assert is_fast(sent([PAYLOAD, changed(path, value), PAYLOAD]))


LEFT: list[tuple[str, Any]] = [
    (TEXT, None),
    (TEXT, [{"type": "text", "text": "x"}]),
    (TEXT, "a lone \ud83d"),
    ("response.choices.0.message.tool_calls", [{"id": "x"}]),
    ("response.choices.0.message.refusal", "no"),
    ("response.choices.0.message.role", "user"),
    ("response.choices.0.finish_reason", "refusal"),
    ("response.choices", []),
    ("response", {}),
    ("status", "failure"),
    ("cache_hit", True),
    ("call_type", "aembedding"),
    ("call_type", "amoderation"),
    ("prompt_tokens", 2),
    ("completion_tokens", 0),
    ("response.usage", {"output_tokens_details": {"reasoning_tokens": 2}}),
    ("prompt_tokens", 0),
    ("prompt_tokens", 420.0),
    ("prompt_tokens", "420"),
    ("response_cost", 1),
    ("startTime", 1790000000),
    ("endTime", 1.0),
    ("id", ""),
    ("custom_llm_provider", None),
    ("model_parameters.temperature", 0),
    ("metadata.requester_metadata.parse_ok", True),
    ("metadata.requester_metadata.score", "0.5"),
    ("error_information.error_code", "499"),
    ("undertow", {"attempt": 1}),
    ("metadata.unread", 2**70),
    ("unread", [123456789012345678901]),
    ("model_parameters", "{}"),
]


@pytest.mark.parametrize(("path", "value"), LEFT)
def test_what_is_left_to_the_slow_way(path: str, value: Any) -> None:
    """What counts something or needs a closer look costs itself, and not the messages around it."""
    parts = check(messages(sent([PAYLOAD, changed(path, value), PAYLOAD])))
    assert [part.decoded.columns is None for part in parts][-2] or len(parts) == 1
    assert not is_fast(sent([changed(path, value)]))


@pytest.mark.parametrize(
    "number", [b"1e999", b"-1.5E+400", b"1e300", b"12345678901234567890123", b'"1e9999"', b'"\xff"', b'"\xc3\xa9"']
)
@pytest.mark.parametrize("place", [b'"metadata":{', b'"standard_logging_object":{', b'"response":{'])
def test_what_a_typed_parser_would_skip(number: bytes, place: bytes) -> None:
    """Values that nobody reads are refused, or not, as always."""
    body = sent([PAYLOAD])[0].replace(b" ", b"")
    assert place in body
    odd = body.replace(place, place + b'"unread":' + number + b",")
    check(messages([body, odd, body, body]))


@pytest.mark.parametrize(
    ("told", "fast"),
    [
        ({}, True),
        ({"parse_ok": True, "schema_fingerprint": "x"}, True),
        ({"attempt": None, "fallback": None, "response_model": ""}, True),
        ({"tool_call_count": 2, "finish_reason": "tool_calls"}, True),
        ({"signals": {}}, True),
        ({"signals": None, "response_chars": None}, True),
        ({"attempt": "1"}, False),
        ({"finish_reason": "odd"}, False),
        ({"schema_fingerprint": ""}, False),
        ({"unheard_of": 1}, False),
        ({"signals": {"x": 1}}, False),
        ({"cost_usd": 1.0}, False),
    ],
)
def test_what_the_callback_ships(told: dict[str, Any], fast: bool) -> None:
    """Records of Undertow's own callback, by the fast way where they are ordinary."""
    odd = SHIPPED | {"undertow": SHIPPED["undertow"] | told}
    bodies = [json.dumps(payload).encode() for payload in (SHIPPED, odd, SHIPPED)]
    assert is_fast(bodies) == fast
    check(messages([*bodies, *sent([PAYLOAD]), *bodies]))


@pytest.mark.parametrize("response", [None, {}, {"id": "x"}, {"output": []}, {"choices": []}, "-", {"content": "x"}])
def test_what_the_callback_leaves_of_a_response(response: Any) -> None:
    """Whatever is left of the response."""
    payload = {key: value for key, value in SHIPPED.items() if key != "response"}
    payload |= {} if response == "-" else {"response": response}
    check(messages([json.dumps(SHIPPED).encode(), json.dumps(payload).encode()]))


def test_other_envelopes() -> None:
    """Bare payloads, arrays, lines and other orders of keys."""
    body = json.dumps(PAYLOAD).encode()
    envelope = sent([PAYLOAD])[0]
    odd = [
        body,
        b"[" + envelope + b"]",
        envelope + b"\n" + envelope,
        b" " + envelope,
        b'{"x":"resourceSpans",' + envelope[1:],
    ]
    for other in odd:
        check(messages([envelope, other, envelope]))


def test_kept_labels() -> None:
    """Keys of the caller's metadata are kept as labels where the operator wants them."""
    (part,) = check(messages(sent([PAYLOAD])), keep_labels=frozenset({"team"}))
    assert part.decoded.columns["labels"].to_pylist() == [[("team", "a")]]


strange: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from([None, True, 0, -1, 1.5, 2**53 + 1, "", "x" * 600, "\x00", "499", [], {}, {"a": 1}, "True"]),
    st.sampled_from(["-", "success", "openai", "acompletion", 1790000001.0, "I can't help with that"]),
)
paths = st.sampled_from(
    [
        *PAYLOAD,
        *(f"{outer}.{inner}" for outer, found in PAYLOAD.items() if isinstance(found, dict) for inner in found),
        *(
            f"metadata.requester_metadata.{name}"
            for name in ("route", "variant", "refusal", "score", "parse_ok", "team")
        ),
        *(
            f"response.choices.0.message.{name}"
            for name in ("content", "role", "tool_calls", "refusal", "message", "x")
        ),
        *("response.choices.0.finish_reason", "hidden_params.model_id", "metadata.usage_object.prompt_tokens_details"),
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(paths, strange), min_size=1, max_size=5))
def test_any_values(changes: list[tuple[str, Any]]) -> None:
    """Anything anywhere."""
    absent = [(path, value) for path, value in changes if value != "-" or path in PAYLOAD]
    check(messages(sent([PAYLOAD, *(changed(path, value) for path, value in absent), PAYLOAD])))


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32))
def test_damaged_messages(seed: int) -> None:
    """Messages with some bytes changed, cut or doubled."""
    rng = random.Random(seed)
    bodies = [bytearray(body) for body in sent([PAYLOAD] * 4)]
    tokens = (b"", b'"', b"1e999", b"9" * 25, b"\xff", b"\\ud800", b"null", b"\n", rng.randbytes(1))
    for body in bodies[1:3]:
        for _ in range(rng.choice((1, 1, 2))):
            at = rng.randrange(len(body))
            body[at : at + rng.choice((0, 1, 1, 4))] = rng.choice(tokens)
    check(messages(list(map(bytes, bodies))))


def test_a_reader_that_reads_differently_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: texts of another look fail the comparison."""
    monkeypatch.setattr(litellm_columns, "layout", SimpleNamespace(shape=lambda _: {"list": True}))
    with pytest.raises(AssertionError):
        check(messages(sent([PAYLOAD])))


@pytest.mark.parametrize(
    "change",
    [
        {"hidden_params": {"cache_hit": True}},
        {"hidden_params": {"cache_hit": False}},
        {"completion_tokens": None, "metadata": {"usage_object": {"prompt_tokens": 310, "completion_tokens": 12}}},
        {"prompt_tokens": 0, "metadata": {"usage_object": {"prompt_tokens": 310, "completion_tokens": 12}}},
    ],
)
def test_usage_beside_and_hidden_marks_of_the_cache_are_read_alike(change: dict[str, Any]) -> None:
    """What only a part of the payload says counts by both ways."""
    check(messages(sent([PAYLOAD, PAYLOAD | change, PAYLOAD])))
