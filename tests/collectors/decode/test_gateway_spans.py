"""What the spans of Rig and of Envoy AI Gateway do not say as others do, and operations by their names."""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from tests.collectors.decode.otlp_bodies import CALL, START, request, span_json

from undertow.batch import Decoded

Read = Callable[..., Decoded]


@pytest.mark.parametrize("operation", ["tokenize", "count_tokens", "countTokens", "tokenization"])
@pytest.mark.parametrize("failed", [False, True])
def test_counting_tokens_is_no_call(read: Read, operation: str, failed: bool) -> None:
    """A span of an operation that only counts a prompt's tokens names a model and input tokens, and is no LLM call."""
    counted = CALL | {"gen_ai.operation.name": operation, "gen_ai.usage.input_tokens": 32}
    decoded = read(request(span_json(counted, **({"status": {"code": 2}} if failed else {}))))
    assert (decoded.spans, decoded.skipped) == ([], Counter(not_llm_call=1))


@pytest.mark.parametrize(
    ("written", "operation"),
    [("audio_generation", "speech"), ("translation", "transcription"), ("interactions", "chat")],
)
def test_an_operation_has_one_name(read: Read, written: str, operation: str) -> None:
    """Libraries name the same operation in words of their own."""
    assert read(request(span_json(CALL | {"gen_ai.operation.name": written}))).spans[0].operation == operation


RIG = CALL | {"target": "rig::completions", "gen_ai.request.stream": False}


def test_a_call_of_rig_without_an_answer_failed(read: Read) -> None:
    """Rig gives a failed call no status; that it has no answer says so."""
    span = read(request(span_json(RIG))).spans[0]
    assert (span.status, span.error_class, span.http_status) == ("error", "other", None)


@pytest.mark.parametrize(
    "more",
    [
        {"gen_ai.response.id": "a"},
        {"gen_ai.response.model": "m"},
        {"gen_ai.usage.output_tokens": "3"},
        {"gen_ai.request.stream": True},
        {"target": "my_app"},
    ],
)
def test_other_calls_did_not_fail(read: Read, more: dict[str, Any]) -> None:
    """One that was answered did not fail, a stream may not have been waited for, other programs do not say answers."""
    assert read(request(span_json(RIG | more))).spans[0].status == "ok"


MESSAGES = CALL | {
    "gen_ai.provider.name": "gcp.anthropic",
    "gen_ai.usage.input_tokens": 56,
    "gen_ai.usage.cache_read.input_tokens": 32,
    "gen_ai.usage.cache_creation.input_tokens": 16,
    "gen_ai.response.finish_reasons": ["end_turn"],
}


@pytest.mark.parametrize(
    ("scope", "more", "tokens"),
    [
        ("envoyproxy/ai-gateway", {}, 104),
        ("envoyproxy/ai-gateway", {"gen_ai.response.finish_reasons": ["stop"]}, 56),
        ("another", {}, 56),
    ],
)
def test_envoy_repeats_anthropics_input(read: Read, scope: str, more: dict[str, Any], tokens: int) -> None:
    """Envoy AI Gateway leaves the cache out of the input of the Messages API, and out of no other."""
    decoded = read(request(span_json(MESSAGES | more), scope=scope))
    assert (decoded.spans[0].input_tokens, decoded.spans[0].cached_input_tokens) == (tokens, 32)


@pytest.mark.parametrize(("scope", "known"), [("envoyproxy/ai-gateway", False), ("openinference", True)])
def test_envoy_tells_of_the_first_chunk_at_the_end(read: Read, scope: str, known: bool) -> None:
    """Its event of a stream's first chunk has the time of the end, so that only the stream itself is known."""
    first = {"name": "First Token Stream Event", "timeUnixNano": str(START + 500_000_000)}
    decoded = read(request(span_json({"llm.model_name": "gpt-4o"} | CALL, events=[first]), scope=scope))
    assert (decoded.spans[0].stream, decoded.spans[0].ttft_s is not None) == (True, known)


@pytest.mark.parametrize("name", ["anthropic.messages.count_tokens", "POST /v1/messages/count_tokens", "CountTokens"])
@pytest.mark.parametrize("failed", [False, True])
def test_counting_tokens_is_known_by_its_name(read: Read, name: str, failed: bool) -> None:
    """A span without an operation is told by its own name; the same span under another name is no counting."""
    attributes = {name: value for name, value in CALL.items() if name != "gen_ai.operation.name"}
    changes = {"status": {"code": 2}} if failed else {}
    decoded = read(request(span_json(attributes, name=name, **changes)))
    assert (decoded.spans, decoded.skipped) == ([], Counter(not_llm_call=1))
    decoded = read(request(span_json(attributes, name="anthropic.messages.create", **changes)))
    assert (len(decoded.spans), decoded.skipped["unrecognised"]) == ((1, 0) if failed else (0, 1))


@pytest.mark.parametrize("attribute", ["http.response.status_code", "http.status_code", "http.status"])
@pytest.mark.parametrize("code", [{}, {"code": 1}])
def test_a_refused_request_is_a_failure_whatever_its_span_says(
    read: Read, attribute: str, code: dict[str, int]
) -> None:
    """A server's span leaves its status unset for answers from 400 on, as OpenTelemetry has it."""
    for http, failure in ((429, "rate_limited"), (500, "server_error"), (401, "auth"), (404, "invalid_request")):
        (span,) = read(request(span_json(CALL | {attribute: http}, status=code))).spans
        assert (span.status, span.error_class, span.http_status) == ("error", failure, http)


@pytest.mark.parametrize("more", [{"gen_ai.usage.output_tokens": 3}, {"gen_ai.response.finish_reasons": ["stop"]}])
def test_a_request_that_was_answered_after_all_did_not_fail(read: Read, more: dict[str, Any]) -> None:
    """The status of an earlier attempt beside an answer, or one below 400, is no failure."""
    assert read(request(span_json(CALL | more | {"http.response.status_code": 429}))).spans[0].status == "ok"
    assert read(request(span_json(CALL | {"http.response.status_code": 200}))).spans[0].status == "ok"


def test_agentgateway(read: Read) -> None:
    """It names its own first token, in seconds, its cost, as text, and the status of the answer."""
    more = {"http.status": 200, "agw.ai.time_to_first_token": 0.25, "agw.ai.usage.cost.total": "0.0021"}
    (span,) = read(request(span_json(CALL | more, kind=2))).spans
    assert (span.ttft_s, span.stream, span.cost_usd, span.http_status) == (0.25, True, 0.0021, 200)


@pytest.mark.parametrize(
    ("written", "operation"),
    [
        ("embed", "embeddings"),
        ("text_embedding", "embeddings"),
        ("batchEmbedContents", "embeddings"),
        ("embeddings.create", "embeddings"),
        ("documents.rerank", "rerank"),
        ("moderations.create", "moderation"),
        ("audio.transcriptions", "transcription"),
        ("remembering", "remembering"),
    ],
)
def test_an_operation_that_answers_with_no_text_is_known_by_its_words(read: Read, written: str, operation: str) -> None:
    """A custom name for embeddings is one of them, whose output is no answer; a word within a word is none."""
    span = read(request(span_json(CALL | {"gen_ai.operation.name": written, "gen_ai.usage.input_tokens": 3}))).spans[0]
    assert span.operation == operation


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ((100, 50, 80, 40, 270), (180, 90)),
        ((100, 50, 80, 40, 230), (180, 50)),
        ((100, 50, 80, 40, 190), (100, 90)),
        ((100, 50, 80, 40, 150), (100, 50)),
    ],
)
def test_a_total_tells_which_parts_stand_beside_their_whole(
    read: Read, usage: tuple[int, ...], tokens: tuple[int, int]
) -> None:
    """Cached input and reasoning may both, one or neither be counted beside."""
    kinds = ("input_tokens", "output_tokens", "cache_read.input_tokens", "reasoning.output_tokens", "total_tokens")
    attributes = {f"gen_ai.usage.{kind}": value for kind, value in zip(kinds, usage, strict=True)}
    span = read(request(span_json(CALL | attributes))).spans[0]
    assert (span.input_tokens, span.output_tokens) == tokens


@pytest.mark.parametrize(
    ("written", "provider"),
    [
        ("Azure OpenAI", "azure.ai.openai"),
        ("Amazon Bedrock", "aws.bedrock"),
        ("bedrock-converse", "aws.bedrock"),
        ("openai_chat", "openai"),
        ("openai-responses", "openai"),
        ("googleVertex.anthropic.messages", "gcp.vertex_ai"),
        ("google-gla", "gcp.gemini"),
        ("Together AI", "together_ai"),
        ("fireworks-ai", "fireworks_ai"),
        ("deep_seek", "deepseek"),
        ("Acme Chat", "Acme Chat"),
    ],
)
def test_a_provider_is_known_by_the_letters_of_its_name(read: Read, written: str, provider: str) -> None:
    """Case and the signs between words differ by library; a name that nobody here knows stays as it is."""
    assert read(request(span_json(CALL | {"gen_ai.provider.name": written}))).spans[0].provider == provider


@pytest.mark.parametrize(
    ("host", "provider"),
    [
        ("eu.api.openai.com", "openai"),
        ("API.OPENAI.COM:443", "openai"),
        ("my-team.openai.azure.com", "azure.ai.openai"),
        ("my-team.services.ai.azure.com", "azure.ai.inference"),
        ("bedrock-runtime.eu-west-1.amazonaws.com", "aws.bedrock"),
        ("us-central1-aiplatform.googleapis.com", "gcp.vertex_ai"),
        ("api.together.xyz", "together_ai"),
        ("notapi.openai.com.example", "unknown"),
        ("evilapi.openai.com", "unknown"),
    ],
)
def test_a_host_below_that_of_a_provider_is_its_own(read: Read, host: str, provider: str) -> None:
    """Regions and resources have hosts of their own; one that only looks like them names nobody."""
    unnamed = {name: value for name, value in CALL.items() if name != "gen_ai.provider.name"}
    assert read(request(span_json(unnamed | {"server.address": host}))).spans[0].provider == provider


@pytest.mark.parametrize("reason", ["abort", "aborted", "cancelled"])
def test_a_reason_that_says_the_application_left_is_no_answer(read: Read, reason: str) -> None:
    """vLLM ends a request that its client left with `abort`: what stands there is a part of an answer."""
    text = '[{"role": "assistant", "parts": [{"type": "text", "content": "Half of"}]}]'
    answered = CALL | {"gen_ai.response.id": "r", "gen_ai.output.messages": text}
    left, whole = (
        read(request(span_json(answered | {"gen_ai.response.finish_reasons": [word]}))).spans[0]
        for word in (reason, "stop")
    )
    assert (left.status, left.response_chars, whole.status, whole.response_chars) == ("cancelled", None, "ok", 7)


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("FINISH_REASON_MAX_TOKENS", "length"),
        ("FinishReason(STOP)", "stop"),
        ("EndSequence", "stop"),
        ("TokenLimitReached", "length"),
        ("ERROR_TOXIC", "content_filter"),
        ("finishreason.length", "length"),
    ],
)
def test_reasons_in_the_words_of_other_clients(read: Read, written: str, reason: str) -> None:
    """Enums of protobuf, Java and .NET, and Cohere's words for the same ends."""
    span = read(request(span_json(CALL | {"gen_ai.response.finish_reasons": [written]}))).spans[0]
    assert span.finish_reason == reason


USAGE = {
    "prompt_tokens": 310,
    "completion_tokens": 12,
    "total_tokens": 322,
    "prompt_tokens_details": {"cached_tokens": 128},
    "completion_tokens_details": {"reasoning_tokens": 4},
}
PAYLOAD = {
    "id": "a",
    "call_type": "acompletion",
    "status": "success",
    "custom_llm_provider": "openai",
    "model_group": "gpt-4o",
    "startTime": 1.79e9,
    "endTime": 1.79e9 + 1,
    "prompt_tokens": 0,
    "completion_tokens": 0,
}
OPENINFERENCE = {
    "openinference.span.kind": "LLM",
    "llm.model_name": "gpt-4o",
    "llm.token_count.prompt": 0,
    "llm.token_count.completion": 0,
    "output.value": json.dumps({"id": "r", "choices": [], "usage": USAGE}),
    "output.mime_type": "application/json",
}


@pytest.mark.parametrize(
    "message",
    [
        PAYLOAD | {"response": {"id": "r", "usage": USAGE}},
        PAYLOAD | {"metadata": {"usage_object": USAGE}},
        PAYLOAD | {"metadata": {"usage_object": USAGE}, "prompt_tokens": None, "completion_tokens": None},
        request(span_json(OPENINFERENCE)),
    ],
    ids=["litellm-body", "litellm-usage-object", "litellm-null", "openinference"],
)
def test_a_zero_beside_a_body_with_usage_is_no_measurement(read: Read, message: Any) -> None:
    """Input and output come from the usage that the provider sent, and parts never stand there for a whole."""
    span = read(message).spans[0]
    assert (span.input_tokens, span.output_tokens) == (310, 12)
    assert (span.cached_input_tokens, span.reasoning_tokens) == (128, 4)


def test_an_answer_that_litellm_marks_as_cached_among_hidden_parameters_is_no_call(read: Read) -> None:
    """The mark on the response itself counts as the one of the payload does."""
    assert read(PAYLOAD | {"hidden_params": {"cache_hit": True}}).skipped == Counter(cached_answer=1)
    assert len(read(PAYLOAD | {"hidden_params": {"cache_hit": False}}).spans) == 1


def test_a_failed_call_of_an_unknown_operation_that_names_a_model_is_a_call(read: Read) -> None:
    """A custom name is no reason to lose a failure; without a model and without a failure nothing says what it was."""
    named = {"gen_ai.operation.name": "summarise", "gen_ai.request.model": "gpt-4o"}
    failed = read(request(span_json(named, name="s", status={"code": 2}))).spans
    assert [(span.provider, span.model, span.status) for span in failed] == [("unknown", "gpt-4o", "error")]
    assert read(request(span_json(named, name="s"))).skipped == Counter(unrecognised=1)


def test_one_number_that_json_does_not_have_costs_one_item_of_an_array(read: Read) -> None:
    """Python writes NaN; its neighbours in the array are read. An array that is damaged besides is none."""
    good = json.dumps(PAYLOAD)
    bad = good[:-1] + ', "response_cost": NaN}'
    for body in (f"[{good}, {bad} ,{good}]", f"[\n{bad},\n{good},{good}\n]"):
        decoded = read(body)
        assert (len(decoded.spans), [reject.reason for reject in decoded.rejects]) == (2, ["non_finite_number"])
    assert [reject.reason for reject in read(f"[{good}, {bad} {good}]").rejects] == ["non_finite_number"]


DUMPS = [
    'data: {"id": "c", "object": "chat.completion.chunk", "choices": [{"delta": {"content": "Hel"}}]}\n\n',
    'event: content_block_delta\ndata: {"type": "content_block_delta"}\n\n',
    "<openai.Stream object at 0x7f3a2c>",
    "<async_generator object stream at 0x7f3a2c>",
    "&{ID:chatcmpl-1 Choices:[{Index:0}]}",
    "&openai.ChatCompletion{ID:chatcmpl-1}",
    "map[id:chatcmpl-1]",
    "ChatResponse [metadata={ id: x }, generations=[Generation[]]]",
    "AiMessage { text = Hello }",
    'CompletionResponse { id: "r", choices: [] }',
    "Microsoft.SemanticKernel.ChatMessageContent",
    "System.Collections.Generic.List`1[OpenAI.Chat.ChatMessage]",
    "[object Object]",
    "null",
]
TEXTS = [
    "Data: the figures are in.",
    "<b>Hello</b>",
    "& {so on}",
    "Map [of the town]",
    "Null is a value.",
    "Hello there",
]


@pytest.mark.parametrize("text", DUMPS + TEXTS)
def test_an_object_as_a_language_writes_it_is_no_answer(read: Read, text: str) -> None:
    """Dumps of Python, Go, Java, Rust, .NET and JavaScript, and raw events, give no length; what a model says does."""
    langfuse = {"langfuse.observation.type": "generation", "langfuse.observation.model.name": "m"}
    places = (
        CALL | {"gen_ai.completion": text},
        langfuse | {"langfuse.observation.output": text},
        {"openinference.span.kind": "LLM", "llm.model_name": "m", "output.value": text},
    )
    found = {read(request(span_json(place))).spans[0].response_chars for place in places}
    assert found == ({len(text)} if text in TEXTS else {None})
