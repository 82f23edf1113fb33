"""What frameworks and tracers write in their own ways: failures without a word, frames, providers, cut texts."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.collectors.decode.otlp_bodies import CALL, START, pairs, request, span_json

from undertow.batch import Decoded
from undertow_collectors.decode import limits, names
from undertow_collectors.decode.coerce import leading

Read = Callable[..., Decoded]
TEXT = "Rain is likely today."
LLM = {"openinference.span.kind": "LLM", "llm.model_name": "m", "llm.system": "openai"}
OK, ERROR = {"code": 1}, {"code": 2}


def exception(message: str, kind: str = "Exception") -> dict[str, Any]:
    """An exception event of a span."""
    attributes = {"exception.type": kind, "exception.message": message}
    return {"name": "exception", "timeUnixNano": str(START), "attributes": pairs(attributes)}


def test_an_exception_fails_a_call_that_has_no_end(read: Read) -> None:
    """LangSmith closes the spans of cut streams with status OK; an exception that was dealt with changes nothing."""
    broken = exception("APIConnectionError('Connection error.')")
    cut = read(request(span_json(CALL, status=OK, events=[broken]))).spans[0]
    whole = read(request(span_json(CALL | {"gen_ai.usage.output_tokens": 7}, status=OK, events=[broken]))).spans[0]
    assert (cut.status, cut.error_class) == ("error", "connection")
    assert (whole.status, whole.error_class) == ("ok", None)


JAVA = "com.openai.errors.OpenAIIoException: Request failed\n\tat a.B.c(B.kt:120)\n"
NET = "Acme.ClientException: Request failed\n"


@pytest.mark.parametrize(
    ("stack", "kind"),
    [
        (JAVA + "Caused by: java.io.InterruptedIOException: timeout\nCaused by: a.SocketException: closed", "timeout"),
        (JAVA + "Caused by: java.net.http.HttpTimeoutException\n\tat d", "timeout"),
        (JAVA + "Caused by: java.net.SocketException: Socket closed\n\tat d", "connection"),
        (JAVA + "Caused by: java.net.ProtocolException: unexpected end of stream\n\tat d", "connection"),
        (JAVA + "Caused by: a.Opaque$Inner: failed\nCaused by: java.net.ConnectException: refused", "connection"),
        (JAVA + "Caused by: com.google.genai.errors.ClientException: 429 . slow down", "rate_limited"),
        (NET + " ---> System.Net.Sockets.SocketException (104): Connection reset by peer\n", "connection"),
        (JAVA + "\tat e.Timeout.f(Timeout.java:1)", "connection"),
        (JAVA + "Caused by: a.server.Opaque: failed", "connection"),
    ],
)
def test_the_cause_of_an_exception_tells_its_class(read: Read, stack: str, kind: str) -> None:
    """Where type and sentence wrap others, the nearest cause that a stack trace names says why; frames do not."""
    event = exception("Request failed", "com.openai.errors.OpenAIIoException")
    event["attributes"] += pairs({"exception.stacktrace": stack})
    assert read(request(span_json(CALL, status=ERROR, events=[event]))).spans[0].error_class == kind


def test_a_type_that_tells_the_class_counts_before_its_causes(read: Read) -> None:
    """What was thrown is nearer to the call than what caused it."""
    event = exception("no", "com.openai.errors.RateLimitException")
    event["attributes"] += pairs({"exception.stacktrace": JAVA + "Caused by: java.net.ConnectException: refused"})
    assert read(request(span_json(CALL, status=ERROR, events=[event]))).spans[0].error_class == "rate_limited"


@pytest.mark.parametrize("reasons", [["error"], '["error"]', "error"])
def test_an_error_as_the_reason_of_the_end_is_a_failure(read: Read, reasons: Any) -> None:
    """Mastra's failed calls have status OK, a reason, and the name that was asked for as what answered."""
    found = CALL | {"gen_ai.response.finish_reasons": reasons, "gen_ai.response.model": "gpt-4o"}
    span = read(request(span_json(found, status=OK))).spans[0]
    assert (span.status, span.error_class, span.finish_reason) == ("error", "server_error", None)
    assert span.response_model is None
    answered = read(request(span_json(found | {"gen_ai.usage.output_tokens": 7}, status=OK))).spans[0]
    assert (answered.status, answered.response_model) == ("ok", "gpt-4o")


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("Rate limit reached", "rate_limited"),
        ("Failed to process successful response", "connection"),
        ("no words of a class", "server_error"),
    ],
)
def test_the_span_around_a_silent_failure_tells_its_class(read: Read, message: str, kind: str) -> None:
    """The nearest enclosing span that failed with a sentence says why; where it says nothing, the call's own class."""
    inner = span_json(CALL | {"gen_ai.response.finish_reasons": ["error"]}, parentSpanId="aa" * 8)
    outer = span_json({"gen_ai.operation.name": "invoke_agent"}, spanId="aa" * 8, status=ERROR | {"message": message})
    for spans in ((inner, outer), (outer, inner)):
        assert [span.error_class for span in read(request(*spans)).spans] == [kind]
    elsewhere = outer | {"traceId": "bb" * 16}
    assert [span.error_class for span in read(request(inner, elsewhere)).spans] == ["server_error"]


@pytest.mark.parametrize(
    ("kind", "cause", "expected"),
    [
        ("litellm.exceptions.MidStreamFallbackError", "APIConnectionError: Connection error.", "connection"),
        ("litellm.exceptions.MidStreamFallbackError", "RateLimitError: Rate limit reached", "rate_limited"),
        ("litellm.exceptions.MidStreamFallbackError", "it ended", "server_error"),
        ("litellm.exceptions.InternalServerError", "APIConnectionError: Connection error.", "server_error"),
    ],
)
def test_an_error_that_wraps_another_is_of_its_class(read: Read, kind: str, cause: str, expected: str) -> None:
    """LiteLLM's error of a stream that broke off has a type of its own; other types are believed."""
    sentence = f"{kind}: litellm.{cause}"
    failed = span_json(CALL, events=[exception(sentence, kind)], status=ERROR | {"message": sentence})
    assert read(request(failed)).spans[0].error_class == expected


def test_a_failed_call_without_a_model_is_counted_where_it_can_only_belong(read: Read) -> None:
    """OpenAI's agents name no model of a failed call: it is that of the others, where there is one, else unknown."""
    failed = span_json(
        {"openinference.span.kind": "LLM", "llm.system": "openai"},
        spanId="aa" * 8,
        status=ERROR | {"message": "Error getting response: {'error': 'Error code: 500 - no'}"},
    )
    one = span_json(LLM, spanId="bb" * 8)
    two = span_json(LLM | {"llm.model_name": "other"}, spanId="cc" * 8)
    for beside, model in (((), "unknown"), ((one,), "m"), ((one, two), "unknown")):
        span = read(request(failed, *beside)).spans[0]
        assert (span.model, span.provider, span.error_class, span.http_status) == (
            model,
            "openai",
            "server_error",
            500,
        )
    assert read(request(failed | {"status": OK})).rejects[0].reason == "missing_model"


@pytest.mark.parametrize(
    ("system", "model", "provider"),
    [
        ("strands-agents", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "aws.bedrock"),
        ("strands-agents", "amazon.nova-pro-v1:0", "aws.bedrock"),
        ("strands-agents", "gpt-4o-mini", "unknown"),
        ("langchain", "gemini-2.5-flash", "gcp.gen_ai"),
        ("anthropic", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "anthropic"),
    ],
)
def test_a_framework_is_no_provider(read: Read, system: str, model: str, provider: str) -> None:
    """Who served follows from the model or the host, and what another attribute says comes before both."""
    found = {"gen_ai.operation.name": "chat", "gen_ai.system": system, "gen_ai.request.model": model}
    assert read(request(span_json(found))).spans[0].provider == provider
    named = read(request(span_json(found | {"llm.provider": "groq"}))).spans[0].provider
    assert named == ("anthropic" if system == "anthropic" else "groq")


def test_the_word_none_is_nothing_but_in_an_answer(read: Read) -> None:
    """Micrometer writes none for a key without a value; a classifier may answer so."""
    span = read(request(span_json(CALL | {"gen_ai.response.model": "none", "gen_ai.completion": "none"}))).spans[0]
    assert (span.response_model, span.response_chars) == (None, 4)


def test_blocks_of_bedrock_in_the_event_of_a_choice(read: Read) -> None:
    """Strands has the reason, the text and the calls in the event alone."""
    blocks = [{"text": TEXT}, {"toolUse": {"toolUseId": "1", "name": "weather", "input": {}}}]
    choice = {"message": json.dumps(blocks), "finish_reason": "tool_use"}
    event = {"name": "gen_ai.choice", "timeUnixNano": str(START), "attributes": pairs(choice)}
    span = read(request(span_json(events=[event]))).spans[0]
    assert (span.finish_reason, span.response_chars, span.tool_call_count) == ("tool_calls", len(TEXT), 1)


def test_a_chunk_is_no_answer(read: Read) -> None:
    """The first chunk of a stream that was left has a body's shape; what is put together to its end is an answer."""
    chunk = {
        "object": "chat.completion.chunk",
        "id": "c",
        "model": "m-1",
        "choices": [{"message": {"content": "Rain"}}],
    }
    ended = chunk | {"choices": [chunk["choices"][0] | {"finish_reason": "stop"}]}  # type: ignore[index]
    for body, size in ((chunk, None), (ended, 4)):
        found = LLM | {"output.value": json.dumps(body), "output.mime_type": "application/json"}
        span = read(request(span_json(found))).spans[0]
        assert (span.response_chars, span.response_id, span.schema_fingerprint) == (size, "c", None)


def test_a_list_of_one_body(read: Read) -> None:
    """OpenAI's agents put the body of a stream into a list, with names that they made up; tokens and text are true."""
    usage = {"input_tokens": 11, "output_tokens": 7, "input_tokens_details": {"cached_tokens": 3}}
    message = {"type": "message", "content": [{"type": "output_text", "text": TEXT}]}
    body = {"id": "__fake_id__", "object": "response", "model": "m", "output": [message], "usage": usage}
    span = read(request(span_json(LLM | {"output.value": json.dumps([body])}))).spans[0]
    assert (span.response_chars, span.cached_input_tokens, span.response_id) == (len(TEXT), 3, None)


def test_a_dump_of_langchain(read: Read) -> None:
    """Of an LLMResult the first generation counts; a call that is among the parts and in a list of its own is one."""
    parts = [{"type": "text", "text": TEXT}, {"type": "tool_use", "id": "a", "name": "w", "input": {}}]
    said = {"id": "msg_1", "model": "claude-x-20250929", "stop_reason": "tool_use"}
    message = {"content": parts, "tool_calls": [{"name": "w", "args": {}, "id": "a"}], "response_metadata": said}
    first = {"text": "", "message": {"lc": 1, "type": "constructor", "id": ["AIMessage"], "kwargs": message}}
    dump = {"generations": [[first, first]], "llm_output": {"model_name": "claude-x"}, "type": "LLMResult"}
    span = read(request(span_json(CALL | {"langsmith.span.kind": "llm", "gen_ai.completion": json.dumps(dump)}))).spans[
        0
    ]
    assert (span.response_chars, span.tool_call_count, span.finish_reason) == (len(TEXT), 1, "tool_calls")
    assert (span.response_model, span.response_id, span.schema_fingerprint) == ("claude-x-20250929", "msg_1", None)


def test_tool_calls_that_messages_leave_out_are_not_none(read: Read) -> None:
    """Where the reason says that the answer calls tools, no call in the messages means that they are not shown."""
    messages = json.dumps([{"role": "assistant", "parts": [{"type": "text", "content": ""}]}])
    for reason, count in (("tool_calls", None), ("stop", 0)):
        found = CALL | {"gen_ai.output.messages": messages, "gen_ai.response.finish_reasons": [reason]}
        assert read(request(span_json(found))).spans[0].tool_call_count == count


@pytest.mark.parametrize(
    ("text", "tokens", "finish", "cut"),
    [
        ('{"items": ["' + "x" * 1012, 2_900, "stop", True),
        ('{"items": ["' + "x" * 1012, 200, None, True),
        ('{"items": ["' + "x" * 1000, 2_900, "stop", True),
        ('{"items": ["' + "x" * 1000, 200, "stop", False),
        ('{"items": ["' + "x" * 1000, 2_900, "length", False),
        ('["' + "x" * 1020 + '"]', 2_900, "stop", False),
        ("word " * 204 + "word", 400, "stop", True),
        ("word " * 203 + "an end...", 400, "stop", False),
        ("word " * 204 + "word", None, "stop", False),
        ("Yes.", 2_900, "stop", False),
        ("é" * 512 + "", 400, "stop", False),
    ],
)
def test_texts_that_a_limit_cut(text: str, tokens: int | None, finish: str | None, cut: bool) -> None:
    """JSON without its end is cut at a limit's length, or where tokens cannot fit; reasoning explains no short text."""
    assert limits.is_cut(text, tokens, finish) is cut


@pytest.mark.parametrize(
    ("text", "members"),
    [
        ('{"model": "gpt-4o", "max_tokens": 700, "tools": [{"na', {"model": "gpt-4o", "max_tokens": 700}),
        ('{"model": "gpt-4o", "max_tokens": 70', {"model": "gpt-4o"}),
        ('{"model": "gpt-', {}),
        ('{"a": {"b": 1}, "c": tru', {"a": {"b": 1}}),
        ('{"a": 1}', {"a": 1}),
        ('["a", 1', {}),
        ('{"\\q": 1, "b": 2', {}),
        ("{" * 100_000, {}),
    ],
)
def test_what_stands_before_a_cut_is_true(text: str, members: dict[str, Any]) -> None:
    """Members that are whole are read of JSON that was cut; a number that may go on is not."""
    assert leading(text) == members


def test_a_span_named_after_its_operation_and_model_is_a_call(read: Read) -> None:
    """Quarkus says of a failed call only its model, and what was thrown; another name, or another model's, is none."""
    asked = {"gen_ai.request.model": "gpt-4o"}
    event = exception("{}", "dev.langchain4j.exception.InvalidRequestException")
    for name, calls in (("completion gpt-4o", 1), ("embeddings gpt-4o", 1), ("prepare gpt-4o", 0), ("chat o3", 0)):
        spans = read(request(span_json(asked, name=name, events=[event]))).spans
        assert len(spans) == calls
        assert [(span.status, span.error_class) for span in spans] == [("error", "invalid_request")] * calls
    (embedded,) = read(request(span_json(asked, name="embeddings gpt-4o", events=[event]))).spans
    assert embedded.operation == "embeddings"


def test_zeros_of_a_request_that_asked_for_nothing(read: Read) -> None:
    """Quarkus writes a temperature and a top_p of zero where none was asked for."""
    asked = CALL | {"gen_ai.request.temperature": 0.0, "gen_ai.request.top_p": 0.0}
    quarkus = "io.quarkus.opentelemetry"
    assert read(request(span_json(asked), scope=quarkus)).spans[0].temperature is None
    assert read(request(span_json(asked | {"gen_ai.request.top_p": 0.9}), scope=quarkus)).spans[0].temperature == 0
    assert read(request(span_json(asked | {"gen_ai.request.temperature": 0.2}), scope=quarkus)).spans[0].temperature
    assert read(request(span_json(asked))).spans[0].temperature == 0


@pytest.mark.parametrize(
    ("kind", "code", "found"),
    [
        ("dev.langchain4j.exception.InvalidRequestException", None, "invalid_request"),
        ("dev.langchain4j.exception.AuthenticationException", None, "auth"),
        ("dev.langchain4j.exception.ContentFilteredException", None, "content_filter"),
        ("com.openai.errors.PermissionDeniedException", None, "auth"),
        ("System.TimeoutException", None, "timeout"),
        ("java.io.IOException", "429", "rate_limited"),
        ("java.io.IOException", "503", "server_error"),
        ("java.io.IOException", "200", "connection"),
        ("litellm.APIConnectionError", "500", "connection"),
        ("java.io.IOException", None, "connection"),
        ("a.OpaqueException", None, "other"),
    ],
)
def test_what_java_throws(kind: str, code: str | None, found: str) -> None:
    """Java's and .NET's exceptions are Python's errors; one of reading that quotes a status got an answer."""
    assert names.error_class(kind, code) == found


HTTP = {"http.request.method": "POST", "server.address": "api.openai.com"}


@pytest.mark.parametrize(
    ("attributes", "changes", "provider"),
    [
        (HTTP, {}, "openai"),
        ({"net.peer.name": "api.mistral.ai"}, {}, "mistral_ai"),
        ({"url.full": "https://eu.openai.azure.com/openai/deployments/m"}, {}, "azure.ai.openai"),
        ({"server.address": "gateway.example"}, {}, "unknown"),
        (HTTP, {"kind": 2}, "unknown"),
        (HTTP, {"parentSpanId": "cc" * 8}, "unknown"),
    ],
)
def test_the_host_of_the_request_below_a_call_names_its_provider(
    read: Read, attributes: dict[str, Any], changes: dict[str, Any], provider: str
) -> None:
    """Under OpenTelemetry's agent the span of the HTTP client tells whom LangChain4j or Genkit asked."""
    call = span_json({"gen_ai.request.model": "gpt-4o", "gen_ai.operation.name": "chat"}, spanId="aa" * 8)
    below = span_json(attributes, **{"spanId": "bb" * 8, "parentSpanId": "aa" * 8, "kind": 3, "name": "POST"} | changes)
    for spans in ((call, below), (below, call)):
        assert [span.provider for span in read(request(*spans)).spans] == [provider]
    named = call | {"attributes": call["attributes"] + pairs({"gen_ai.provider.name": "groq"})}
    assert [span.provider for span in read(request(named, below)).spans] == ["groq"]
