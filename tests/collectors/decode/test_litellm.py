"""StandardLoggingPayloads: envelopes, and the traps that the captures do not hold."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from undertow.batch import Decoded
from undertow.span import Span

Read = Callable[..., Decoded]
One = Callable[..., Span]
MESSAGE = {"role": "assistant", "content": "Paris.", "tool_calls": None}
PAYLOAD: dict[str, Any] = {
    "id": "chatcmpl-1",
    "trace_id": "t",
    "litellm_call_id": "c",
    "call_type": "acompletion",
    "stream": None,
    "status": "success",
    "custom_llm_provider": "azure",
    "startTime": 1.79e9,
    "endTime": 1.79e9 + 2,
    "completionStartTime": 1.79e9 + 2,
    "prompt_tokens": 40,
    "completion_tokens": 7,
    "response_cost": 0.001,
    "model": "azure/gpt-4o-deploy",
    "model_group": "gpt-4o",
    "model_id": "east",
    "api_base": "https://east.openai.azure.com:443/v1",
    "metadata": {"usage_object": {"prompt_tokens_details": {"cached_tokens": 8}}},
    "model_parameters": {"max_tokens": 100, "temperature": 0.5, "stream": False},
    "response": {"id": "chatcmpl-1", "model": "gpt-4o", "choices": [{"finish_reason": "stop", "message": MESSAGE}]},
    "error_information": {"error_code": "", "error_class": ""},
}


def envelope(payload: dict[str, Any], event: str = "success") -> dict[str, Any]:
    """A payload as a logging callback ships it."""
    return {"_event": event, "standard_logging_object": payload}


@pytest.fixture(name="one")
def _one(read: Read) -> One:
    """The span of the payload with some keys changed."""
    return lambda **changes: read(PAYLOAD | changes).spans[0]


@pytest.mark.parametrize(
    "body",
    [
        [PAYLOAD, PAYLOAD | {"id": "2"}],
        [envelope(PAYLOAD), envelope(PAYLOAD | {"id": "2"})],
        json.dumps(PAYLOAD) + "\n" + json.dumps(envelope(PAYLOAD | {"id": "2"})),
    ],
)
def test_envelopes(read: Read, body: Any) -> None:
    """Bare, enveloped, in arrays and one a line: the same spans, told apart by `id`."""
    decoded = read(body)
    assert decoded.format == "litellm"
    assert [s.span_id for s in decoded.spans] == ["chatcmpl-1", "2"]
    assert decoded.spans[0] == read(PAYLOAD).spans[0]


def test_a_success(one: One) -> None:
    """Where each field of a plain success comes from."""
    span = one()
    assert (span.provider, span.model, span.sent_model) == ("azure.ai.openai", "gpt-4o", "gpt-4o-deploy")
    assert (span.gateway, span.deployment, span.server_address) == ("litellm", "east", "east.openai.azure.com")
    assert (span.input_tokens, span.output_tokens, span.cached_input_tokens) == (40, 7, 8)
    assert (span.duration_s, span.ttft_s, span.stream) == (2.0, None, False)
    assert (span.max_tokens, span.temperature, span.cost_usd) == (100, 0.5, 0.001)
    assert (span.status, span.finish_reason, span.response_chars, span.refusal) == ("ok", "stop", 6, False)
    assert (span.response_id, span.parse_ok, span.tool_call_count) == ("chatcmpl-1", None, 0)
    assert span.http_status is None


@pytest.mark.parametrize("status", ["success", "failure"])
def test_a_client_that_went_away_is_cancelled(one: One, status: Any) -> None:
    """LiteLLM logs disconnects as successes with code 499; their short answers are no drift."""
    error = {"error_code": "499", "error_class": "ClientDisconnected"}
    span = one(status=status, error_information=error, completion_tokens=2)
    assert (span.status, span.error_class, span.http_status, span.output_tokens) == ("cancelled", None, 499, 2)
    assert (span.response_chars, span.refusal) == (None, None)


def test_the_alias_is_not_the_providers_model(one: One) -> None:
    """The group's own name is unknown, another name is what the provider said."""
    assert one().response_model is None
    snapshot = PAYLOAD["response"] | {"model": "gpt-4o-2024-11-20"}
    assert one(response=snapshot).response_model == "gpt-4o-2024-11-20"


def test_fallbacks_and_retries_by_their_headers(one: One) -> None:
    """The headers of an answer in one piece say how many attempts came before; streams have none, so unknown."""
    headers = {"x-litellm-attempted-fallbacks": 1, "x-litellm-attempted-retries": 2}
    assert (one().fallback, one().attempt) == (None, None)
    span = one(hidden_params={"additional_headers": headers})
    assert (span.fallback, span.attempt) == (True, 2)


@pytest.mark.parametrize(
    ("stream", "asked", "first", "expected"),
    [
        (True, True, 0.5, (True, 0.5)),
        (None, True, 0.5, (True, 0.5)),
        (None, False, 0.5, (False, None)),
        (True, True, 2.0, (True, None)),
        (True, True, -1.0, (True, None)),
    ],
)
def test_the_first_token_of_streams(one: One, stream: Any, asked: Any, first: Any, expected: Any) -> None:
    """completionStartTime counts for streams alone, and not where it repeats the end; cut streams lose their flag."""
    span = one(stream=stream, model_parameters={"stream": asked}, completionStartTime=1.79e9 + first)
    assert (span.stream, span.ttft_s) == expected


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"cache_hit": True}, "cached_answer"),
        ({"call_type": "aget_assistants", "completion_tokens": 0}, "not_llm_call"),
        ({"call_type": "call_mcp_tool", "completion_tokens": None}, "not_llm_call"),
    ],
)
def test_records_that_are_no_calls(read: Read, change: Any, reason: Any) -> None:
    """Answers out of the gateway's cache say nothing about a provider; file and tool records are no calls."""
    assert read(PAYLOAD | change).skipped == {reason: 1}


def test_fallback_events_are_skipped(read: Read) -> None:
    """A fallback event repeats what its two attempts say."""
    assert read({"_event": "fallback_success", "model": "gpt-4o"}).skipped == {"fallback_event": 1}


def test_what_the_application_sends_along(one: One, read: Read) -> None:
    """Fields in the request's metadata reach the span, and keys in keep_labels its labels."""
    requester = {"route": "support", "prompt_version": 3, "task_success": True, "team": "a", "headers": {"x": "y"}}
    changes = {"metadata": {"requester_metadata": requester, "user_api_key_alias": "key"}}
    span = one(**changes)
    assert (span.route, span.prompt_version, span.task_success, span.labels) == ("support", "3", True, None)
    kept = read(PAYLOAD | changes, keep_labels=frozenset({"team", "headers"})).spans[0]
    assert kept.labels == {"team": "a"}
    assert one(metadata={"user_api_key_alias": "key"}).route == "key"


def test_missing_identity_is_derived(read: Read) -> None:
    """Without an id, the place in the source and its time; without a start, that less the duration; both are told."""
    bare = {k: v for k, v in PAYLOAD.items() if k not in ("id", "startTime", "custom_llm_provider")}
    decoded = read(bare | {"response_time": 4.0})
    span = decoded.spans[0]
    assert (span.span_id, span.started_at, span.duration_s) == ("topic:3:14:0@1790000000000", 1_789_999_996.0, 4.0)
    assert span.provider == "azure.ai.openai"
    assert decoded.derived.keys() >= {"span_id", "started_at", "provider"}


def test_attempts_without_an_id_of_the_providers_are_told_apart(read: Read) -> None:
    """Failures and embeddings have LiteLLM's own id, which the attempts of one request share; their start is unique."""
    own = PAYLOAD | {"id": "c"}
    later = own | {"startTime": 1.79e9 + 1}
    spans = read([own, later, own]).spans
    assert [s.span_id for s in spans] == ["c:1790000000.0", "c:1790000001.0", "c:1790000000.0"]
    older = {name: value for name, value in own.items() if name != "litellm_call_id"} | {"status": "failure"}
    assert [s.span_id for s in read([older, PAYLOAD]).spans] == ["c:1790000000.0", "chatcmpl-1"]


def test_what_the_gateway_refused_by_itself_is_no_call(read: Read) -> None:
    """A model that it does not have, a key that it does not know: nobody upstream was asked."""
    error = {"error_code": "400", "error_class": "ProxyModelNotFoundError", "llm_provider": ""}
    refused = PAYLOAD | {"status": "failure", "error_information": error, "custom_llm_provider": None}
    refused |= {"model_id": "", "model_group": "", "api_base": ""}
    assert read(refused).skipped == {"refused_by_gateway": 1}
    without_router = refused | {"error_information": error | {"llm_provider": "openai"}}
    assert read(without_router).spans[0].status == "error"


def test_what_the_callback_adds(read: Read) -> None:
    """Undertow's own callback tells what the payload lacks, and what it saw in the answer that it kept to itself."""
    told = {"attempt": 2, "fallback": True, "response_model": "gpt-4o-2024-11-20", "response_chars": 7, "refusal": True}
    told |= {"finish_reason": "length", "signals": {"shape.list": True}, "parse_ok": None, "span_id": "x", "new": 1}
    decoded = read(PAYLOAD | {"response": {"id": "1", "model": "gpt-4o"}, "undertow": told})
    span = decoded.spans[0]
    assert (span.span_id, span.attempt, span.fallback, span.response_model) == (
        "chatcmpl-1",
        2,
        True,
        told["response_model"],
    )
    assert (span.response_chars, span.refusal, span.finish_reason, span.parse_ok) == (7, True, "length", None)
    assert span.signals == {"shape.list": True}
    assert decoded.unknown == {"span_id": 1, "new": 1}
    assert decoded.derived == {"response_chars": 1, "refusal": 1, "signals": 1}


def test_a_model_nobody_named(read: Read) -> None:
    """A record without any model is rejected under that name."""
    assert [r.reason for r in read(PAYLOAD | {"model": None, "model_group": ""}).rejects] == ["missing_model"]


@pytest.mark.parametrize("value", [3, "x", [], {"a": {}}, True, None, -1, 1.5, "['a']", "{'a': 1}"])
@pytest.mark.parametrize("key", sorted(PAYLOAD))
def test_any_value_anywhere(read: Read, key: Any, value: Any) -> None:
    """Whatever stands in a key, the record is one span, one skip or one reject."""
    assert read(PAYLOAD | {key: value}).read == 1


def test_no_text_comes_out(read: Read) -> None:
    """Prompt, answer, addresses and stack traces stay behind."""
    secret = "tell-nobody"
    changes = {
        "messages": [{"role": "user", "content": secret}],
        "response": PAYLOAD["response"] | {"choices": [{"message": {"content": secret}}]},
        "error_information": {"traceback": secret, "error_message": secret},
        "requester_ip_address": secret,
        "end_user": secret,
    }
    decoded = read([PAYLOAD | changes, {"model_group": secret, "id": 1, "startTime": "x"}])
    assert secret not in repr(decoded.spans[0])
    assert secret not in repr(decoded.rejects)
