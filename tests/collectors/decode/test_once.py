"""One call counts once: nested instrumentations, model servers inside of the caller's trace, second exporters."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from tests.collectors.decode.otlp_bodies import CALL, START, request, span_json

from undertow.batch import Decoded

Read = Callable[..., Decoded]
ANSWERED = CALL | {
    "gen_ai.response.id": "chatcmpl-1",
    "gen_ai.usage.input_tokens": 9,
    "gen_ai.usage.output_tokens": 3,
}
FRAMEWORK = {
    "openinference.span.kind": "LLM",
    "llm.model_name": "gpt-4o",
    "llm.token_count.prompt": 9,
    "llm.token_count.completion": 3,
}


def span(number: int, parent: int = 0, attributes: dict[str, Any] = ANSWERED, **changes: Any) -> dict[str, Any]:
    """A span with a small number as its id."""
    ids = {"spanId": f"{number:016x}", "parentSpanId": f"{parent:016x}" if parent else ""}
    return span_json(attributes, **ids | changes)


def kept(decoded: Decoded) -> list[int]:
    """The numbers of the spans that count."""
    return [int(found.span_id.partition(":")[2], 16) for found in decoded.spans]


def test_the_inner_of_two_instrumentations_counts(read: Read) -> None:
    """A framework's span around a client's span is the same call, also with a span of something else between them."""
    for spans in (
        [span(2, 1), span(1, attributes=FRAMEWORK)],
        [span(3, 2), span(2, 1, attributes={"a": 1}), span(1, attributes=FRAMEWORK)],
    ):
        decoded = read(request(*spans))
        assert len(decoded.spans) == 1
        assert decoded.spans[0].response_id == "chatcmpl-1"
        assert decoded.skipped["instrumented_twice"] == 1


def test_attempts_inside_of_a_call_keep_their_rows(read: Read) -> None:
    """Of a call with two attempts the attempts count, and share their trace."""
    failed = span(2, 1, CALL | {"error.type": "429"})
    decoded = read(request(span(1, attributes=FRAMEWORK), failed, span(3, 1)))
    assert kept(decoded) == [2, 3]
    assert len({found.trace_id for found in decoded.spans}) == 1


def test_a_model_server_in_the_callers_trace_does_not_count(read: Read) -> None:
    """The caller's span sees what the user sees; the server's own span of the same request is skipped."""
    server = CALL | {"gen_ai.usage.input_tokens": 9, "gen_ai.usage.output_tokens": 3, "gen_ai.latency.e2e": 1.0}
    decoded = read(request(span(1), span(2, 1, server, kind=2)))
    assert (kept(decoded), decoded.skipped) == ([1], Counter(provider_side=1))


def test_a_gateways_span_counts_before_what_its_client_says(read: Read) -> None:
    """Inside of LiteLLM its own span knows the deployment, so the client's instrumentation is skipped."""
    body = request(span(1), scope="litellm")
    body["resourceSpans"] += request(span(2, 1), scope="opentelemetry.instrumentation.openai.v1")["resourceSpans"]
    assert kept(read(body)) == [1]


def test_a_judge_inside_of_a_call_is_another_call(read: Read) -> None:
    """A call of another model, or with an answer of its own, is counted beside the one around it."""
    judge = ANSWERED | {"gen_ai.request.model": "judge", "gen_ai.response.id": "chatcmpl-2"}
    assert kept(read(request(span(1), span(2, 1, judge)))) == [1, 2]
    assert kept(read(request(span(1), span(2, 1, judge | {"gen_ai.request.model": "gpt-4o"})))) == [1, 2]


@pytest.mark.parametrize("operation", ["invoke_agent", "execute_tool"])
def test_what_an_agent_asks_inside_of_a_call_is_another_call(read: Read, operation: str) -> None:
    """ADK's calls enclose the tools that they ask for, and an agent may be one; other spans between change nothing."""
    outer, inner = span(1, attributes=CALL), span(3, 2, CALL)
    assert kept(read(request(outer, span(2, 1, {"gen_ai.operation.name": operation}), inner))) == [1, 3]
    assert kept(read(request(outer, span(2, 1, {"http.request.method": "POST"}), inner))) == [3]


def test_a_call_that_began_after_the_one_around_it_is_another_call(read: Read) -> None:
    """A context that stays open has the next calls of its thread for children; a server has a clock of its own."""
    later = {"startTimeUnixNano": str(START + 2_500_000_000), "endTimeUnixNano": str(START + 3_000_000_000)}
    assert kept(read(request(span(1, attributes=CALL), span(2, 1, CALL, **later)))) == [1, 2]
    assert kept(read(request(span(1, attributes=CALL), span(2, 1, CALL)))) == [2]
    assert kept(read(request(span(1, attributes=CALL), span(2, 1, CALL, kind=2, **later)))) == [1]


def test_two_exporters_of_one_call(read: Read) -> None:
    """One response id with the same tokens at the same time in two traces is one call."""
    other = span(2, traceId="f" * 32)
    decoded = read(request(span(1), other))
    assert (kept(decoded), decoded.skipped) == ([1], Counter(exported_twice=1))


def test_two_instrumentations_of_failures(read: Read) -> None:
    """Two scopes in two traces tell of one failed call; two failures of one scope are two."""
    failed = CALL | {"error.type": "429"}
    inner = {
        "startTimeUnixNano": str(START + 1_000),
        "endTimeUnixNano": str(START + 2_000_000_000),
        "traceId": "f" * 32,
    }
    body = request(span(1, attributes=failed), scope="a")
    body["resourceSpans"] += request(span(2, attributes=failed, **inner), scope="b")["resourceSpans"]
    assert kept(read(body)) == [2]
    assert kept(read(request(span(1, attributes=failed), span(2, attributes=failed, **inner)))) == [1, 2]


@pytest.mark.parametrize(
    "change",
    [
        {"attributes": ANSWERED | {"gen_ai.usage.output_tokens": 4}},
        {"startTimeUnixNano": str(START + 9_000_000_000), "endTimeUnixNano": str(START + 9_500_000_000)},
    ],
)
def test_servers_that_repeat_an_id_lose_nothing(read: Read, change: dict[str, Any]) -> None:
    """Some servers answer with a constant id: other tokens, or another time, are another call."""
    assert kept(read(request(span(1), span(2, traceId="f" * 32, **change)))) == [1, 2]


def test_a_loop_of_parents_ends(read: Read) -> None:
    """Spans that name each other as parents are read, too."""
    assert len(read(request(span(1, 2), span(2, 1))).spans) in (1, 2)
