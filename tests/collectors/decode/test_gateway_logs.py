"""JSON logs of hosted gateways: which is which, and the traps of each."""

import copy
import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from undertow.batch import Decoded, Message, Origin
from undertow.span import Span
from undertow_collectors.decode.registry import decode

Capture = Callable[[str], list[Message]]
Read = Callable[..., Decoded]
Curated = list[tuple[str, Message]]
SECRET = "tell-nobody"

COUNTS: dict[str, tuple[int, dict[str, int], dict[str, int]]] = {
    "portkey": (20, {}, {"cached_answer": 3}),
    "helicone": (18, {"missing_model": 1}, {"cached_answer": 1, "unfinished": 1, "tool": 1, "not_llm_call": 1}),
    "bifrost": (18, {}, {"wrapper": 3, "unfinished": 1, "cached_answer": 1, "not_llm_call": 2, "tool": 2}),
    "cloudflare": (18, {}, {"cached_answer": 3}),
    "openrouter": (10, {}, {}),
    "kong": (11, {}, {"cached_answer": 1, "not_llm_call": 2}),
    "apisix": (6, {}, {"not_llm_call": 1}),
    "envoy": (10, {}, {"not_llm_call": 1}),
    "langfuse": (13, {"missing_model": 1}, {"unfinished": 1, "not_llm_call": 7, "tool": 1, "agent": 1, "no_spans": 1}),
}


def stamped(message: Message) -> Message:
    """The message as Kafka would have it: with the time at which the broker got it."""
    return Message(message.origin, message.value, 1_795_180_000.0)


@pytest.mark.parametrize("folder", COUNTS)
def test_every_call_is_counted_once(capture: Capture, folder: Any) -> None:
    """Each call is one span with an id of its own, under its own format; the rest has a reason."""
    decoded = [decode(stamped(message)) for message in capture(folder)]
    found = [span for one in decoded for span in one.spans]
    assert {one.format for one in decoded} == {folder}
    assert len(found) == len({span.span_id for span in found})
    rejects = Counter(reject.reason for one in decoded for reject in one.rejects)
    assert (len(found), rejects, sum((one.skipped for one in decoded), Counter())) == COUNTS[folder]


def test_no_other_capture_is_taken_for_one_of_these(capture: Capture, curated: Curated) -> None:
    """The signs of these formats stand in no message of the others."""
    others = ["litellm-otel-v1-slp", "litellm-otel-v2", "openinference", "otel-official", "traceloop-nocontent"]
    messages = [message for folder in others for message in capture(folder)] + [message for _, message in curated]
    assert {decode(message).format for message in messages} == {"litellm", "otlp", "otlp_json"}


@pytest.mark.parametrize("folder", COUNTS)
def test_any_value_anywhere(capture: Capture, folder: Any) -> None:
    """Whatever stands in a key, near the top or below, a message becomes spans, skips and rejects with a name."""
    for message in capture(folder):
        for damaged in variants(json.loads(message.value)):
            decoded = decode(Message(Origin("t", 0, 0), json.dumps(damaged).encode(), 1e9), folder)
            assert decoded.read >= 1
            assert "decoder_error" not in {reject.reason for reject in decoded.rejects}


def variants(root: Any) -> list[Any]:
    """The record with one value after the other, down to the fourth level, replaced by a strange one."""
    strange = [None, 3, "x", [], {"a": {}}, True, -1, 1.5, "['a']", {"content": 7}, [["x"]], "{}"]
    places = [path for path in paths(root) if path]
    found = []
    for number, path in enumerate(places):
        damaged = copy.deepcopy(root)
        node = damaged
        for key in path[:-1]:
            node = node[key]
        node[path[-1]] = strange[number % len(strange)]
        found.append(damaged)
    return found


def paths(node: Any, depth: int = 5) -> list[tuple[Any, ...]]:
    """Every place in a JSON value, as keys and indices."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    below = [(key, *path) for key, inner in items for path in paths(inner, depth - 1)] if depth else []
    return [(), *below]


@pytest.mark.parametrize("folder", COUNTS)
def test_no_text_comes_out(capture: Capture, folder: Any) -> None:
    """Prompts, answers and error messages stay behind, whatever shape a log gives them."""
    for message in capture(folder):
        value = message.value.replace(b"capital of France", SECRET.encode()).replace(b"Rate limit", SECRET.encode())
        decoded = decode(stamped(Message(message.origin, value)))
        assert SECRET not in repr(decoded.spans) + repr(decoded.rejects)


def one(read: Read, record: Any, **options: Any) -> Span:
    """The only span of a record."""
    (span,) = read(record, **options).spans
    return span


EXPORT = {"id": "a", "created_at": "2026-11-20T12:00:00Z", "ai_org": "openai", "ai_model": "gpt-4o", "cost": 2.5}


@pytest.mark.parametrize(
    ("option", "mode", "expected"),
    [
        ("config.targets[0]", "fallback", False),
        ("config.targets[1]", "fallback", True),
        ("config.targets[1].targets[0]", "fallback", True),
        ("config", "fallback", False),
        ("config.targets[1]", "loadbalance", None),
        ("config.targets[1]", None, None),
    ],
)
def test_portkeys_second_target_is_a_fallback_in_a_chain_alone(
    read: Read, option: Any, mode: Any, expected: Any
) -> None:
    """A config that spreads load has targets, too, and without a config nobody knows."""
    config = {"strategy": {"mode": mode}} if mode else {}
    headers = {"x-portkey-config": json.dumps(config), "x-portkey-provider": "openai"}
    record = {
        "_id": "a",
        "created_at": EXPORT["created_at"],
        "request": {"body": {"model": "m"}, "portkeyHeaders": headers},
    }
    assert one(read, record | {"response": {"status": 200, "lastUsedOptionJsonPath": option}}).fallback is expected


def test_portkeys_cents_are_dollars(read: Read) -> None:
    """A cost of 2.5 is two and a half cents."""
    assert one(read, EXPORT).cost_usd == pytest.approx(0.025)


def test_portkeys_labels_come_in_both_shapes_of_metadata(read: Read) -> None:
    """An object in exports, a list of keys beside one of values in the analytics."""
    keep = {"keep_labels": frozenset({"team"})}
    for metadata in ({"team": "a", "route": "r"}, {"key": ["team", "route"], "value": ["a", "r"]}):
        span = one(read, EXPORT | {"metadata": metadata}, **keep)
        assert (span.labels, span.route) == ({"team": "a"}, "r")


HELICONE = {
    "providerRequest": {"url": "custom-model-nopath", "json": {"model": "m"}, "meta": {"Helicone-Request-Id": "r"}},
    "providerResponse": {"json": {}, "status": 200, "headers": {}},
    "timing": {"startTime": {"seconds": 100, "milliseconds": 900}, "endTime": {"seconds": "101", "milliseconds": "50"}},
}


def helicone(**changes: Any) -> dict[str, Any]:
    """A log of the async logger with another response."""
    return HELICONE | {"providerResponse": HELICONE["providerResponse"] | changes}


def test_helicones_pairs_of_seconds_and_milliseconds(read: Read) -> None:
    """Numbers and strings, across a full second, to the millisecond."""
    span = one(read, HELICONE)
    assert (span.started_at, span.duration_s) == (100.9, 0.15)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (200, ("ok", 200)),
        (-3, ("cancelled", None)),
        (499, ("cancelled", 499)),
        (503, ("error", 503)),
        (None, ("ok", None)),
    ],
)
def test_helicones_statuses(read: Read, status: Any, expected: Any) -> None:
    """Negative ones are Helicone's own."""
    span = one(read, helicone(status=status))
    assert (span.status, span.http_status) == expected


def test_helicones_streams_are_put_together(read: Read) -> None:
    """JSON lines and server-sent events say the same; a stream that was cut has no text to judge."""
    events = [
        {"id": "c", "model": "m-1", "choices": [{"delta": {"content": text}, "finish_reason": finish}]}
        for text, finish in (("Pa", None), ("ris", "stop"))
    ] + [{"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2}}]
    lines = "\n".join(map(json.dumps, events))
    sent = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
    for text in (lines, sent):
        span = one(read, helicone(textBody=text))
        assert (span.response_chars, span.output_tokens, span.finish_reason, span.response_id) == (5, 2, "stop", "c")
    assert one(read, helicone(textBody=json.dumps(events[0]))).response_chars is None
    assert one(read, helicone(textBody="not a stream")).response_chars is None


TRACEBACK = 'Traceback (most recent call last):\n  File "app.py", line 4, in ask\n    answer()\n'


STACK = "{}\n    at OpenAI.ask (file:///srv/app/client.mjs:287:32)\n    at async file:///srv/app/app.mjs:3:1\n\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (TRACEBACK + "openai.RateLimitError: Error code: 429 - {}\n\n\n", ("error", "rate_limited", 429)),
        (TRACEBACK + "httpx.ReadTimeout\n\n\n", ("error", "timeout", None)),
        (TRACEBACK + "OSError: no\n\nCaused:\n\n" + TRACEBACK + "APITimeoutError: 4\n\n", ("error", "timeout", None)),
        (TRACEBACK + "ConnectionResetError: gone\n\n\n{}\n{}", ("error", "connection", None)),
        (TRACEBACK, ("error", "other", None)),
        (STACK.format("Error: 429 Rate\nlimit reached"), ("error", "rate_limited", 429)),
        (STACK.format("AI_APICallError: 529 overloaded"), ("error", "server_error", 529)),
        (STACK.format("Error: Request timed out."), ("error", "timeout", None)),
        (STACK.format("TypeError: terminated"), ("error", "connection", None)),
        (STACK.format("Look at this:"), ("ok", None, 200)),
        ("Error: found\n    at the market\n", ("ok", None, 200)),
        ("You see: " + TRACEBACK + "ValueError: 500\n", ("ok", None, 200)),
    ],
)
def test_helicones_stack_traces_are_failures(read: Read, text: Any, expected: Any) -> None:
    """The loggers' status is always 200, or always 500; the text begins with the stack trace."""
    if expected[0] == "error":
        assert one(read, helicone(textBody=text, status=500)).error_class == expected[1]
    span = one(read, helicone(textBody=text))
    assert (span.status, span.error_class, span.http_status) == expected


def test_helicones_rows_without_bodies_add_up_their_columns(read: Read) -> None:
    """Cached tokens and reasoning are counted beside prompt and completion."""
    row = {"helicone_user": None, "request_id": "r", "request_created_at": "2026-11-20T12:00:00Z", "request_model": "m"}
    columns = {"prompt_tokens": 10, "prompt_cache_read_tokens": 4, "completion_tokens": 6, "reasoning_tokens": 3}
    span = one(read, row | columns | {"response_status": 200})
    assert (span.input_tokens, span.cached_input_tokens) == (14, 4)
    assert (span.output_tokens, span.reasoning_tokens) == (9, 3)


def test_helicones_embeddings_without_a_path(read: Read) -> None:
    """The manual logger's URL says nothing; the answer says what it is."""
    vectors = {"object": "list", "data": [{"object": "embedding", "embedding": [0.1]}], "usage": {"prompt_tokens": 4}}
    span = one(read, helicone(json=vectors))
    assert (span.operation, span.input_tokens, span.output_tokens) == ("embeddings", 4, None)


def test_helicones_webhooks(read: Read) -> None:
    """They have no time: the message's, less the latency, stands for it."""
    body = {"model": "gpt-4o", "messages": []}
    numbers = {"cost": 0.002, "promptTokens": 14, "completionTokens": 8, "totalTokens": 22, "latencyMs": 500}
    hook = {
        "request_id": "r",
        "request_body": json.dumps(body),
        "response_body": "{}",
        "model": "gpt-4o",
        "provider": "OPENAI",
    }
    span = one(read, hook | {"metadata": numbers, "request_response_url": "https://helicone.test/signed"})
    assert (span.provider, span.input_tokens, span.output_tokens, span.cost_usd) == ("openai", 14, 8, 0.002)
    assert (span.started_at, span.duration_s) == (1_789_999_999.5, 0.5)


ENTRY = {
    "id": "e",
    "timestamp": "2026-11-20T12:00:00Z",
    "provider": "openai",
    "model": "gpt-4o",
    "selected_key_id": "k",
}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"status": "processing"}, "unfinished"),
        ({"status": "success", "cache_debug": '{"cache_hit": true}'}, "cached_answer"),
        ({"status": "success", "object": "list_models"}, "not_llm_call"),
    ],
)
def test_bifrosts_entries_that_are_no_calls(read: Read, change: Any, reason: Any) -> None:
    """Begun ones, cached ones, and those of other endpoints."""
    assert read(ENTRY | change).skipped == {reason: 1}


@pytest.mark.parametrize(
    "wrap", [lambda e: e, lambda e: {"logs": [e]}, lambda e: {"type": "log", "payload": e}, lambda e: [e]]
)
def test_bifrosts_envelopes(read: Read, wrap: Any) -> None:
    """Bare, as the API lists them, as the websocket sends them, in an array."""
    assert one(read, wrap(ENTRY | {"status": "success"})).span_id == "e"


def test_bifrosts_first_tokens_in_nanoseconds(read: Read) -> None:
    """Older connectors give the time to the first token in nanoseconds, newer ones in seconds."""
    attributes = {
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "m",
        "gen_ai.response.time_to_first_token": 41e7,
    }
    span = {"SpanID": "s", "TraceID": "t", "Kind": "llm.call", "Status": "ok", "Attributes": attributes}
    times = {"StartTime": "2026-11-20T12:00:00Z", "EndTime": "2026-11-20T12:00:01Z"}
    found = one(read, {"RootSpan": {}, "Spans": [span | times]})
    assert (found.ttft_s, found.stream, found.span_id) == (0.41, True, "t:s")


def test_sealed_logpush_lines_are_calls_without_measures(read: Read) -> None:
    """Provider, model and status are all that a sealed line says; its time is the message's."""
    sealed = {"type": "encrypted", "key": "a2V5", "iv": "aXY=", "data": "ZGF0YQ=="}
    line = {
        "Cached": False,
        "Gateway": "prod",
        "Model": "gpt-4o",
        "Provider": "openai",
        "RateLimited": False,
        "StatusCode": 200,
    }
    decoded = read(line | dict.fromkeys(("Metadata", "RequestBody", "ResponseBody"), sealed))
    (span,) = decoded.spans
    assert (span.gateway, span.provider, span.model, span.http_status) == ("prod", "openai", "gpt-4o", 200)
    assert (span.input_tokens, span.response_chars, span.started_at) == (None, None, 1_790_000_000.0)
    assert decoded.derived.keys() == {"span_id", "started_at"}


@pytest.mark.parametrize(
    ("code", "expected"),
    [(200, ("ok", None)), (424, ("error", "content_filter")), (499, ("cancelled", None)), (524, ("error", "timeout"))],
)
def test_cloudflares_statuses(read: Read, code: Any, expected: Any) -> None:
    """Its own codes have a meaning of their own."""
    log = {"id": "a", "created_at": "2026-11-20T12:00:00Z", "provider": "openai", "model": "m", "custom_cost": False}
    span = one(read, log | {"status_code": code, "success": code == 200})
    assert (span.status, span.error_class) == expected


GENERATION = {
    "id": "gen-1",
    "created_at": "2026-11-20T12:00:00+00:00",
    "model": "openai/gpt-4o",
    "native_tokens_prompt": 9,
}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"latency": 900, "generation_time": 850}, 0.9),
        ({"latency": 400, "generation_time": 2900}, 2.9),
        ({"latency": 400, "generation_time": None}, 0.4),
        ({}, None),
    ],
)
def test_openrouters_duration_is_the_longer_time(read: Read, change: Any, expected: Any) -> None:
    """Some generations call the first token their latency."""
    assert one(read, GENERATION | change).duration_s == expected


def test_openrouters_own_keys_cost_both_bills(read: Read) -> None:
    """With a key of the caller's own the provider bills the tokens, and OpenRouter a fee."""
    bills = {"total_cost": 0.01, "upstream_inference_cost": 0.2}
    assert one(read, GENERATION | bills | {"is_byok": True}).cost_usd == pytest.approx(0.21)
    assert one(read, GENERATION | bills | {"is_byok": False}).cost_usd == pytest.approx(0.01)


def event(kind: str, at: int, **body: Any) -> dict[str, Any]:
    """A Langfuse event of a second of the same minute."""
    return {"id": f"{kind}-{at}", "type": kind, "timestamp": f"2026-11-20T12:00:{at:02}Z", "body": body}


CREATE = event("generation-create", 1, id="g", startTime="2026-11-20T12:00:01Z", model="gpt-4o")
UPDATE = event("generation-update", 3, id="g", endTime="2026-11-20T12:00:03Z", model="gpt-4o-2024-11-20")


@pytest.mark.parametrize("events", [[CREATE, UPDATE], [UPDATE, CREATE]])
def test_langfuses_events_of_one_generation_are_one_call(read: Read, events: Any) -> None:
    """In a batch or a bare array, in whatever order; the model of the update is the one that answered."""
    for body in ({"batch": events}, events):
        decoded = read(body)
        (span,) = decoded.spans
        assert decoded.read == 1
        assert (span.span_id, span.model, span.response_model, span.duration_s) == (
            "g",
            "gpt-4o",
            "gpt-4o-2024-11-20",
            2.0,
        )


def test_langfuses_generation_in_two_messages_is_one_call(read: Read) -> None:
    """Its beginning is skipped, its end is the call, which then has neither start nor duration of its own."""
    assert read({"batch": [CREATE]}).skipped == {"unfinished": 1}
    span = one(read, {"batch": [UPDATE]})
    assert (span.span_id, span.model, span.duration_s) == ("g", "gpt-4o-2024-11-20", None)
    assert span.started_at == one(read, {"batch": [CREATE, UPDATE]}).ended_at


@pytest.mark.parametrize(
    "name", ["OpenAI-generation", "OpenAI.chat", "AzureOpenAI.embeddings", "OpenAI in Paris", "qa"]
)
def test_langfuses_names_are_routes_where_someone_gave_them(read: Read, name: Any) -> None:
    """Its clients for OpenAI name the rest."""
    span = one(
        read, {"batch": [CREATE, event("generation-update", 4, id="g", endTime="2026-11-20T12:00:04Z", name=name)]}
    )
    assert span.route == (name if name in ("OpenAI in Paris", "qa") else None)


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"usage": {"input": 14, "output": 8, "unit": "TOKENS"}}, (14, 8, None)),
        ({"usage": {"promptTokens": 14, "completionTokens": 8}}, (14, 8, None)),
        ({"usage": {"input": 900, "output": 80, "unit": "CHARACTERS"}}, (None, None, None)),
        ({"usageDetails": {"input": 10, "input_cached_tokens": 4, "output": 6, "total": 20}}, (14, 6, 4)),
        ({"usageDetails": {"input": 10, "input_cached_tokens": 4, "output": 6, "total": 16}}, (10, 6, 4)),
        ({"usageDetails": {"input": 10, "cache_read_input_tokens": 4, "output": 6}}, (14, 6, 4)),
        (
            {
                "usageDetails": {
                    "prompt_tokens": 14,
                    "completion_tokens": 8,
                    "prompt_tokens_details": {"cached_tokens": 4},
                }
            },
            (14, 8, 4),
        ),
        ({"usage": {"input": 1, "output": 1}, "usageDetails": {"input": 14, "output": 8}}, (14, 8, None)),
    ],
)
def test_langfuses_usage(read: Read, usage: Any, expected: Any) -> None:
    """Old and new, in Langfuse's words and in OpenAI's; parts exclude each other unless the total says no."""
    span = one(
        read, {"batch": [CREATE, event("generation-update", 4, id="g", endTime="2026-11-20T12:00:04Z", **usage)]}
    )
    assert (span.input_tokens, span.output_tokens, span.cached_input_tokens) == expected


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("Error code: 429 - {'error': {}}", ("error", "rate_limited", 429)),
        ("openai.APITimeoutError: Request timed out.", ("error", "timeout", None)),
        ("Request timed out.", ("error", "timeout", None)),
        ("InternalServerError", ("error", "server_error", None)),
        ("asyncio.CancelledError", ("cancelled", None, None)),
        ("", ("error", "other", None)),
        (None, ("error", "other", None)),
    ],
)
def test_langfuses_failures(read: Read, sentence: Any, expected: Any) -> None:
    """A level and a sentence are all there is; a code or an exception's name in it says the kind."""
    failed = event(
        "generation-update", 4, id="g", endTime="2026-11-20T12:00:04Z", level="ERROR", statusMessage=sentence
    )
    span = one(read, {"batch": [CREATE, failed]})
    assert (span.status, span.error_class, span.http_status) == expected


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("Paris.", (6, 0)),
        ({"role": "assistant", "content": "Paris."}, (6, 0)),
        ([{"role": "user", "content": "?"}, {"role": "assistant", "content": "Paris."}], (6, 0)),
        ('{"city": "Paris"}', (17, 0)),
        ({"role": "assistant", "content": None, "tool_calls": [{}]}, (0, 1)),
        ({"city": "Paris"}, (None, None)),
        (None, (None, None)),
    ],
)
def test_langfuses_outputs(read: Read, output: Any, expected: Any) -> None:
    """A text, a message, a conversation; an object of the application's own is no answer's text."""
    span = one(
        read, {"batch": [CREATE, event("generation-update", 4, id="g", endTime="2026-11-20T12:00:04Z", output=output)]}
    )
    assert (span.response_chars, span.tool_call_count) == expected


@pytest.mark.parametrize("folder", COUNTS)
def test_what_litellm_adds_does_not_make_it_litellms(capture: Capture, folder: Any) -> None:
    """LiteLLM logs to some of these, too, and puts its own keys into their metadata."""
    for message in capture(folder):
        value = message.value.replace(b'"metadata": {', b'"metadata": {"model_group": "m", "litellm_call_id": "c", ')
        assert decode(Message(message.origin, value)).format == folder


def test_what_is_inferred_is_told(read: Read) -> None:
    """An id or a time taken from the answer, a start from the end, a stream from its first token."""
    answered = helicone(json={"id": "chatcmpl-1"})
    no_id = answered | {"providerRequest": {"url": "", "json": {"model": "m"}, "meta": {}}}
    line = {"RateLimited": False, "Provider": "openai", "Model": "m", "StatusCode": 200}
    first = event(
        "generation-create", 2, id="g", startTime="2026-11-20T12:00:01Z", completionStartTime="2026-11-20T12:00:02Z"
    )
    for record, names in (
        (no_id, {"span_id", "provider"}),
        (answered, {"provider"}),
        (line | {"ResponseBody": {"id": "chatcmpl-1", "created": 1_795_176_000}}, {"span_id", "started_at"}),
        ({"batch": [UPDATE]}, {"started_at", "provider"}),
        ({"batch": [first, UPDATE]}, {"stream", "provider"}),
    ):
        decoded = read(record)
        assert len(decoded.spans) == 1
        assert decoded.derived.keys() == names


def test_entries_that_are_no_objects_are_rejected(read: Read) -> None:
    """What stands in an envelope and is no object is not lost without a word."""
    for body in (
        {"logs": [3], "selected_key_id": 1},
        {"batch": ["x"], "sdk_integration": 1},
        {"result": [[]], "custom_cost": 1},
    ):
        decoded = read(body)
        assert [reject.reason for reject in decoded.rejects] == ["not_an_object"]


@pytest.mark.parametrize("body", ['{"resourceSpans": []}', "{}", " {}\n"])
@pytest.mark.parametrize("name", ["auto", "otlp_json"])
def test_the_empty_payload_of_openrouters_connection_test(read: Read, body: Any, name: Any) -> None:
    """Broadcast's test is an empty OTLP payload: nothing, and no reject."""
    assert read(body, format=name).skipped == {"no_spans": 1}


def otlp(scope: str, *spans: dict[str, Any]) -> dict[str, Any]:
    """An OTLP request of spans of one trace."""
    return {"resourceSpans": [{"scopeSpans": [{"scope": {"name": scope}, "spans": list(spans)}]}]}


def otlp_span(number: int, parent: int | None, name: str, **attributes: str) -> dict[str, Any]:
    """A span with attributes that are texts."""
    return {
        "traceId": "a" * 32,
        "spanId": f"{number:016}",
        "parentSpanId": "" if parent is None else f"{parent:016}",
        "name": name,
        "startTimeUnixNano": str(10**18 + number),
        "endTimeUnixNano": str(2 * 10**18),
        "attributes": [{"key": f"gen_ai.{key}", "value": {"stringValue": text}} for key, text in attributes.items()],
    }


def test_openrouters_broadcast_counts_a_generation_once(read: Read) -> None:
    """The root has the tokens and the cost; what it encloses repeats it without."""
    call = {"operation.name": "chat", "system": "openai", "request.model": "openai/gpt-4o"}
    used = {"usage.input_tokens": "92495", "usage.output_tokens": "535", "usage.total_cost": "0.001859"}
    empty = {"usage.input_tokens": "0", "usage.output_tokens": "0"}
    spans = [
        otlp_span(1, None, "LLM Generation", **call, **used),
        otlp_span(2, 1, "generation", **call, **empty),
        otlp_span(3, 1, "provider attempt 1: DeepInfra", **call, **empty),
    ]
    for order in (spans, spans[::-1]):
        decoded = read(otlp("openrouter", *order))
        (span,) = decoded.spans
        assert (span.input_tokens, span.output_tokens, span.cost_usd) == (92495, 535, 0.001859)
        assert decoded.skipped.total() == 2


def test_cloudflares_otlp_names_its_provider_in_its_own_way(read: Read) -> None:
    """Its spans have no operation, `gen_ai.model.provider`, and the whole answer as JSON."""
    answered = json.dumps({"choices": [{"message": {"content": "Paris."}, "finish_reason": "stop"}]})
    said = {"request.model": "gpt-4o", "model.provider": "openai", "usage.input_tokens": "14", "usage.cost": "0.1"}
    span = one(read, otlp("ai-gateway", otlp_span(1, None, "chat", **said, completion_json=answered)))
    assert (span.provider, span.model, span.input_tokens, span.cost_usd) == ("openai", "gpt-4o", 14, 0.1)
    assert (span.response_chars, span.finish_reason) == (6, "stop")
