"""Spans of MLflow: its tracing, by default and in OpenTelemetry's names, and its AI Gateway."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.collectors.decode.otlp_bodies import ID, START, TRACE, pairs, request, span_json

from undertow.batch import Decoded
from undertow.span import Span

Read = Callable[..., Decoded]
SCOPE = "mlflow.tracing.provider"
ROOT = "a" * 16


def dumped(**attributes: Any) -> dict[str, Any]:
    """Attributes as MLflow writes them, each as JSON; two underscores are a dot."""
    return {name.replace("__", "."): json.dumps(value) for name, value in attributes.items()}


def one(read: Read, attributes: dict[str, Any], **changes: Any) -> Span:
    """The only span of a request of one span."""
    decoded = read(request(span_json(attributes, **changes), scope=SCOPE))
    assert not decoded.rejects, decoded.rejects
    return decoded.spans[0]


BODY = {
    "id": "chatcmpl-1",
    "model": "gpt-4o-2024-08-06",
    "system_fingerprint": "fp_1",
    "choices": [
        {"index": 0, "finish_reason": "length", "message": {"role": "assistant", "content": "The sky is blue."}}
    ],
    "usage": {
        "prompt_tokens": 11,
        "completion_tokens": 7,
        "total_tokens": 18,
        "prompt_tokens_details": {"cached_tokens": 3},
        "completion_tokens_details": {"reasoning_tokens": 2},
    },
}
USAGE = {"input_tokens": 11, "output_tokens": 7, "total_tokens": 18, "cache_read_input_tokens": 3}
CLIENT = dumped(
    mlflow__spanType="CHAT_MODEL",
    mlflow__message__format="openai",
    model="gpt-4o",
    temperature=0.2,
    stream=True,
    mlflow__spanInputs={"model": "gpt-4o", "max_tokens": 200, "messages": []},
    mlflow__llm__model="gpt-4o-2024-08-06",
    mlflow__chat__tokenUsage=USAGE,
    mlflow__spanOutputs=BODY,
    mlflow__llm__cost={"input_cost": 0.001, "output_cost": 0.002, "total_cost": 0.003},
)


def test_a_client(read: Read) -> None:
    """The client's own parameters have what was asked for, `mlflow.llm.model` and the body who answered."""
    span = one(read, CLIENT)
    assert (span.provider, span.model, span.response_model) == ("openai", "gpt-4o", "gpt-4o-2024-08-06")
    assert (span.input_tokens, span.output_tokens, span.cached_input_tokens, span.reasoning_tokens) == (11, 7, 3, 2)
    assert (span.temperature, span.max_tokens, span.stream, span.cost_usd) == (0.2, 200, True, 0.003)
    assert (span.finish_reason, span.response_chars, span.system_fingerprint) == ("length", 16, "fp_1")


def test_a_framework_names_the_model_that_it_asked_for(read: Read) -> None:
    """Without parameters of a client `mlflow.llm.model` is what was asked for, and who answered is unknown."""
    named = dumped(mlflow__spanType="LLM", mlflow__llm__model="claude-sonnet-4-5", mlflow__llm__provider="anthropic")
    span = one(read, named | dumped(mlflow__chat__tokenUsage=USAGE))
    assert (span.provider, span.model, span.response_model) == ("anthropic", "claude-sonnet-4-5", None)


def test_tokens_of_a_cache_are_part_of_the_input(read: Read) -> None:
    """MLflow adds them; an older one that left them beside it is found out by its total."""
    whole = {"input_tokens": 3126, "output_tokens": 40, "total_tokens": 3166, "cache_read_input_tokens": 3000}
    beside = {"input_tokens": 126, "output_tokens": 40, "total_tokens": 3166, "cache_read_input_tokens": 3000}
    for usage in (whole, beside):
        span = one(read, dumped(mlflow__spanType="LLM", mlflow__llm__model="x", mlflow__chat__tokenUsage=usage))
        assert (span.input_tokens, span.cached_input_tokens) == (3126, 3000)


def test_of_a_dump_of_langchain_the_generation_is_the_answer(read: Read) -> None:
    """What stands around an answer tells nothing of it: no structure and no identity."""
    dump = {
        "generations": [[{"text": "Blue.", "message": {"content": "Blue."}}]],
        "llm_output": {"id": "x", "model": "y"},
    }
    asked = dumped(mlflow__spanType="CHAT_MODEL", mlflow__message__format="langchain", mlflow__llm__model="gpt-4o")
    span = one(read, asked | dumped(mlflow__spanOutputs=dump))
    assert (span.model, span.response_chars, span.schema_fingerprint, span.response_id) == ("gpt-4o", 5, None, None)
    assert span.provider == "unknown"


@pytest.mark.parametrize(
    "outputs", ["[]", "{", '"Blue."', "null", "3", '{"choices": 1}', '{"content": null, "usage": 2}']
)
def test_outputs_that_are_something_else_cost_no_call(read: Read, outputs: str) -> None:
    """The call stays, with what its other attributes say."""
    span = one(read, CLIENT | {"mlflow.spanOutputs": outputs, "mlflow.spanInputs": outputs})
    assert (span.model, span.input_tokens, span.response_chars, span.status) == ("gpt-4o", 11, None, "ok")


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("AGENT", "agent"),
        ("TOOL", "tool"),
        ("CHAIN", "not_llm_call"),
        ("UNKNOWN", "not_llm_call"),
        ("RERANKER", "not_llm_call"),
    ],
)
def test_spans_that_are_no_calls(read: Read, kind: str, reason: str) -> None:
    """Only chat models, language models and embeddings are calls."""
    decoded = read(request(span_json(dumped(mlflow__spanType=kind, mlflow__chat__tokenUsage=USAGE)), scope=SCOPE))
    assert (decoded.skipped, decoded.spans, decoded.rejects) == ({reason: 1}, [], [])


def test_a_function_that_its_author_called_an_llm(read: Read) -> None:
    """It names no model: it is the wrapper of the call inside of it, and by itself nobody can say what it is."""
    function = span_json(dumped(mlflow__spanType="LLM", mlflow__spanOutputs="Blue."), name="ask", spanId=ROOT)
    assert read(request(function, scope=SCOPE)).skipped == {"unrecognised": 1}
    decoded = read(request(function, span_json(CLIENT, parentSpanId=ROOT), scope=SCOPE))
    assert (len(decoded.spans), decoded.skipped) == (1, {"wrapper": 1})


SEMCONV = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "gpt-4o-2024-08-06",
    "gen_ai.usage.input_tokens": 11,
    "gen_ai.usage.output_tokens": 7,
    "gen_ai.response.model": "gpt-4o-2024-08-06",
    "gen_ai.response.id": "chatcmpl-1",
}


def test_opentelemetrys_names(read: Read) -> None:
    """With the flag the served model stands where the asked-for one belongs, which is left among the client's own."""
    span = one(read, SEMCONV | dumped(model="gpt-4o", temperature=0.2))
    assert (span.model, span.response_model, span.temperature) == ("gpt-4o", "gpt-4o-2024-08-06", 0.2)
    failed = {"gen_ai.operation.name": "chat"} | dumped(model="gpt-4o")
    assert one(read, failed, status={"code": 2, "message": "Error code: 429 - no"}).error_class == "rate_limited"
    framework = one(read, SEMCONV)
    assert framework.model == "gpt-4o-2024-08-06", "where nothing else is known, it is the model"


GATEWAY = dumped(mlflow__spanType="UNKNOWN", endpoint_id="e-1", endpoint_name="ep", mlflow__spanOutputs=BODY)
PROVIDER = dumped(
    mlflow__spanType="LLM",
    mlflow__llm__provider="openai",
    mlflow__llm__model="gpt-4o",
    method="chat",
    mlflow__chat__tokenUsage=USAGE,
)


def gateway(*calls: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A request of what the gateway did, around its calls of providers."""
    root = span_json(GATEWAY, name="gateway/ep", spanId=ROOT, **changes)
    return request(*calls, root, scope=SCOPE)


def called(number: int, attributes: dict[str, Any] = PROVIDER, **changes: Any) -> dict[str, Any]:
    """One call of a provider below the gateway's span."""
    return span_json(attributes, name="provider/openai/gpt-4o", parentSpanId=ROOT, spanId=f"{number:016x}") | changes


def test_a_gateways_answer_belongs_to_its_call(read: Read) -> None:
    """The call has tokens and time, the span around it the answer; one row has both."""
    decoded = read(gateway(called(1)))
    assert decoded.skipped == {"wrapper": 1}
    (span,) = decoded.spans
    assert (span.model, span.response_model, span.stream, span.response_chars) == ("gpt-4o", BODY["model"], False, 16)
    assert (span.finish_reason, span.reasoning_tokens, span.system_fingerprint) == ("length", 2, "fp_1")
    assert read(request(called(1), scope=SCOPE)).spans[0].response_model is None, (
        "the control: without the span around it"
    )


def test_a_gateways_answer_belongs_to_the_attempt_that_was_answered(read: Read) -> None:
    """A fallback leaves a failed attempt without an answer; of two answered calls nobody knows whose it is."""
    refused = called(1, status={"code": 2, "message": "HTTPException: 429: Rate limit reached"})
    first, second = read(gateway(refused, called(2))).spans
    assert (first.error_class, first.http_status, first.response_chars, second.response_chars) == (
        "rate_limited",
        429,
        None,
        16,
    )
    assert [span.response_chars for span in read(gateway(called(1), called(2))).spans] == [None, None]


def test_a_gateways_first_chunk_is_that_of_its_stream(read: Read) -> None:
    """The chunks are events of the span around the call."""
    chunk = {"name": "mlflow.chunk.item.0", "timeUnixNano": str(START + 200_000_000), "attributes": pairs({"x": "y"})}
    streamed = PROVIDER | dumped(method="chat_stream", streaming=True)
    (span,) = read(gateway(called(1, streamed), events=[chunk])).spans
    assert (span.stream, round(span.ttft_s or 0, 6)) == (True, 0.2)


def test_what_the_gateway_repeats_in_its_callers_trace_is_no_call(read: Read) -> None:
    """A caller that sends its trace along gets each call again below its own span, without a method."""
    mirror = dumped(mlflow__spanType="LLM", endpoint_id="e-1", endpoint_name="ep")
    again = {name: value for name, value in PROVIDER.items() if name != "method"}
    decoded = read(request(called(1, again), span_json(mirror, name="gateway/ep", spanId=ROOT), scope=SCOPE))
    assert (decoded.spans, decoded.skipped) == ([], {"wrapper": 2})


def test_a_gateway_in_opentelemetrys_names(read: Read) -> None:
    """The span around the call has the messages, and is no call itself, whatever its operation."""
    shared = {"gen_ai.operation.name": "generate_content"}
    call = shared | {"gen_ai.request.model": "gpt-4o", "gen_ai.provider.name": "openai"} | dumped(method="chat")
    said = [{"role": "assistant", "parts": [{"type": "text", "content": "Blue."}], "finish_reason": "stop"}]
    around = dumped(endpoint_id="e-1", endpoint_name="ep") | {
        "gen_ai.output.messages": json.dumps(said),
        "gen_ai.response.model": "gpt-4o-2024-08-06",
    }
    for operation in ("UNKNOWN", "generate_content"):
        root = span_json(around | {"gen_ai.operation.name": operation}, name=operation, spanId=ROOT)
        decoded = read(request(span_json(call, parentSpanId=ROOT), root, scope=SCOPE))
        assert (decoded.skipped, decoded.rejects) == ({"wrapper": 1}, [])
        assert (decoded.spans[0].response_chars, decoded.spans[0].response_model) == (5, "gpt-4o-2024-08-06")


def test_a_stream_is_put_together_out_of_its_chunks(read: Read) -> None:
    """MLflow's own loses the reason and knows no tools; of a long stream only the last chunks are left."""
    deltas = [{"role": "assistant", "content": "Blue"}, {"content": "."}, {}]
    chunks: list[Any] = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks[-1]["choices"][0]["finish_reason"] = "length"
    events: list[Any] = [
        {
            "name": f"mlflow.chunk.item.{n}",
            "timeUnixNano": str(START + n * 1000 + 1000),
            "attributes": pairs({"mlflow.chunk.value": json.dumps(chunk)}),
        }
        for n, chunk in enumerate(chunks)
    ]
    whole = BODY | {"choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": "Blue."}}]}
    attributes = CLIENT | dumped(mlflow__spanOutputs=whole)
    span = one(read, attributes, events=events)
    assert (span.finish_reason, span.response_chars, span.ttft_s) == ("length", 5, 1e-06)
    evicted = one(read, attributes, events=events[1:])
    assert (evicted.finish_reason, evicted.response_chars, evicted.ttft_s) == ("length", 5, None)
    chunks[-1]["choices"][0]["finish_reason"] = "tool_calls"
    events[-1]["attributes"] = pairs({"mlflow.chunk.value": json.dumps(chunks[-1])})
    called = one(read, attributes, events=events[1:])
    assert (called.finish_reason, called.response_chars, called.tool_call_count) == ("tool_calls", None, None)
    assert one(read, attributes).finish_reason == "stop", "the control: without its chunks MLflow is believed"


@pytest.mark.parametrize("outputs", ["<anthropic.Stream object at 0x7f>", "<async_generator object f at 0x7f>"])
def test_a_span_that_ended_when_its_stream_began_has_no_duration(read: Read, outputs: str) -> None:
    """What it returned is the stream; when that ended nothing says."""
    assert one(read, CLIENT | dumped(mlflow__spanOutputs=outputs)).duration_s is None
    assert one(read, CLIENT | dumped(mlflow__spanOutputs="<b>Blue</b>")).duration_s == 2.5


def test_a_budget_that_is_spent_is_a_refusal_of_the_gateway(read: Read) -> None:
    """No provider was asked, so that it is no failure of one."""
    refused = dumped(mlflow__spanType="LLM", endpoint_id="e-1", endpoint_name="ep")
    decoded = read(request(span_json(refused, name="gateway/ep", status={"code": 2}), scope=SCOPE))
    assert (decoded.spans, decoded.skipped) == ([], {"refused_by_gateway": 1})


def test_attributes_of_other_libraries_keep_their_meaning(read: Read) -> None:
    """What `model` and `method` are to MLflow they are to nobody else."""
    decoded = read(request(span_json(SEMCONV | {"model": "x", "method": "POST"}), scope="test"))
    assert (decoded.spans[0].model, decoded.spans[0].span_id) == ("gpt-4o-2024-08-06", f"{TRACE}:{ID}")
