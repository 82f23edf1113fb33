"""What Undertow's LiteLLM callback makes of a call: everything the decoder wants, and no text."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.batch import Message, Origin
from undertow.span import Span
from undertow_collectors import litellm_payload
from undertow_collectors.decode.registry import decode

SECRET = "tell-nobody"
START = 1_790_000_000.25
ANSWER = {"role": "assistant", "content": f'{{"city": "{SECRET}"}}', "tool_calls": None}
PAYLOAD: dict[str, Any] = {
    "id": "chatcmpl-1",
    "litellm_call_id": "call",
    "trace_id": "trace",
    "call_type": "acompletion",
    "stream": None,
    "status": "success",
    "custom_llm_provider": "openai",
    "startTime": START,
    "endTime": START + 2,
    "completionStartTime": START + 2,
    "prompt_tokens": 40,
    "completion_tokens": 7,
    "model": "openai/gpt-4o",
    "model_group": "gpt-4o",
    "model_id": "east",
    "api_base": f"https://user:{SECRET}@api.openai.com/v1?key={SECRET}",
    "metadata": {
        "user_api_key_hash": SECRET,
        "user_api_key_alias": "support",
        "requester_ip_address": SECRET,
        "requester_metadata": {"prompt_version": "v3", "note": SECRET * 100, "headers": {"authorization": SECRET}},
        "requester_custom_headers": {"authorization": SECRET},
    },
    "end_user": SECRET,
    "messages": [{"role": "user", "content": SECRET}],
    "model_parameters": {"max_tokens": 9, "response_format": {"type": "json_object"}, "tools": [SECRET]},
    "hidden_params": {"additional_headers": {"llm_provider-set-cookie": SECRET, "x-litellm-attempted-fallbacks": 1}},
    "response": {"id": "chatcmpl-1", "model": "gpt-4o", "choices": [{"finish_reason": "stop", "message": ANSWER}]},
    "error_information": {"error_code": "", "error_class": "", "traceback": SECRET, "error_message": SECRET},
    "error_str": SECRET,
}
ORIGINAL = {"model": "gpt-4o-2024-11-20", "system_fingerprint": "fp_1", "choices": [{"message": ANSWER}]}


def call(**router: Any) -> dict[str, Any]:
    """LiteLLM's details of a call, with what its router put into the metadata."""
    return {"litellm_params": {"metadata": router}, "original_response": json.dumps(ORIGINAL), "api_key": SECRET}


def span(payload: dict[str, Any], details: dict[str, Any], **options: Any) -> Span:
    """What Undertow reads of the shipped record."""
    decoded = decode(Message(Origin("t", 0, 0), litellm_payload.record(payload, details, **options)))
    assert (decoded.format, decoded.rejects, decoded.skipped.total()) == ("litellm", [], 0)
    return decoded.spans[0]


def test_no_text_is_shipped() -> None:
    """Prompt, answer, addresses, headers, keys, messages of errors and long values of the caller stay behind."""
    assert SECRET not in litellm_payload.record(PAYLOAD, call()).decode()
    assert SECRET not in litellm_payload.record(PAYLOAD | {"status": "failure"}, call()).decode()


def test_what_the_answer_shows_is_shipped_instead() -> None:
    """The span is the one that the whole payload would give, and more."""
    found = span(PAYLOAD, call(attempted_fallbacks=0, attempted_retries=2))
    assert (found.response_chars, found.refusal, found.parse_ok, found.finish_reason) == (23, False, True, "stop")
    assert (found.tool_call_count, len(found.response_sha256 or "")) == (0, 64)
    assert (found.response_model, found.system_fingerprint) == ("gpt-4o-2024-11-20", "fp_1")
    assert (found.attempt, found.fallback, found.route, found.prompt_version) == (2, False, "support", "v3")
    assert (found.server_address, found.max_tokens, found.input_tokens) == ("api.openai.com", 9, 40)
    whole = decode(Message(Origin("t", 0, 0), json.dumps(PAYLOAD).encode())).spans[0]
    assert whole.signals == found.signals
    assert whole.schema_fingerprint == found.schema_fingerprint


def test_the_answer_goes_along_on_request() -> None:
    """With send_text the answer is in the record, the prompt still is not; a huge one is left out."""
    value = json.loads(litellm_payload.record(PAYLOAD, call(), send_text=True))["standard_logging_object"]
    assert value["response"] == PAYLOAD["response"]
    assert "messages" not in value
    huge = PAYLOAD | {"response": {"id": "1", "choices": [{"message": {"content": "x" * 1_000_000}}]}}
    value = litellm_payload.record(huge, call(), send_text=True)
    assert len(value) < 10_000
    assert json.loads(value)["standard_logging_object"]["undertow"]["response_chars"] == 1_000_000


def test_a_streams_model_is_in_the_routers_metadata() -> None:
    """A stream's own words are a coroutine by then; the model that it named is kept elsewhere."""
    details = call(hidden_params={"provider_response_model": "gpt-4o-2024-08-06"}) | {"original_response": object()}
    assert span(PAYLOAD, details).response_model == "gpt-4o-2024-08-06"


def test_without_a_router_the_headers_say_which_attempt_it_was() -> None:
    """Older versions have no such metadata."""
    assert span(PAYLOAD, {}).fallback is True
    assert span(PAYLOAD, {}).attempt is None


@pytest.mark.parametrize(("first", "last", "expected"), [(0.5, 3.0, 3.0), (0.5, 0.5, 0.0), (-1.0, 3.0, 0.0)])
def test_a_streams_later_attempt_begins_when_it_was_sent(first: float, last: float, expected: float) -> None:
    """LiteLLM gives the start of the request for streams; where the payload is of the attempt, it is left as it is."""
    start = datetime.fromtimestamp(START)  # noqa: DTZ006  as LiteLLM does
    times = {"first_api_call_start_time": start + timedelta(seconds=first)}
    times |= {"api_call_start_time": start + timedelta(seconds=last)}
    found = span(PAYLOAD | {"endTime": START + 9}, call() | times)
    assert found.started_at == START + expected


def test_a_client_that_went_away_shows_no_answer() -> None:
    """What it did not wait for is no answer to judge."""
    gone = {"error_code": "499", "error_class": "ClientDisconnected"}
    found = span(PAYLOAD | {"error_information": gone}, call())
    assert (found.status, found.response_chars, found.finish_reason) == ("cancelled", None, None)


def test_what_the_gateway_refused_itself_is_not_shipped() -> None:
    """LiteLLM logs a model that it does not have, and a key, as failures of a call that it never made."""
    assert not litellm_payload.reached_a_provider({"litellm_no_upstream_llm_call": True})
    assert litellm_payload.reached_a_provider(call())


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("{"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*PAYLOAD, "choices"]), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(sorted(PAYLOAD)), JUNK), st.dictionaries(st.sampled_from(sorted(call())), JUNK))
def test_whatever_litellm_hands_over(changes: dict[str, Any], details: dict[str, Any]) -> None:
    """A payload of any shape is a record, which is one span, skip or reject."""
    value = litellm_payload.record(PAYLOAD | changes, call() | details)
    assert decode(Message(Origin("t", 0, 0), value)).read == 1
