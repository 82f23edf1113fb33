"""OTLP log records: an event that holds a whole call is one; all others are skipped under a name."""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from tests.collectors.decode.otlp_bodies import CALL, ID, TRACE, event_json, logs, protobuf_logs, request, span_json

from undertow.batch import Decoded

Read = Callable[..., Decoded]
DETAILS = "gen_ai.client.inference.operation.details"
MESSAGES = json.dumps(
    [{"role": "assistant", "parts": [{"type": "text", "content": "Foxes."}], "finish_reason": "stop"}]
)
ANSWERED = CALL | {"gen_ai.usage.input_tokens": 9, "gen_ai.usage.output_tokens": 3, "gen_ai.output.messages": MESSAGES}


@pytest.fixture(name="decoded", params=["protobuf", "json"])
def _decoded(request: pytest.FixtureRequest, read: Read) -> Callable[..., Decoded]:
    """Decode log records through each encoding."""

    def decoded(*records: dict[str, Any]) -> Decoded:
        body = logs(*records)
        return read(protobuf_logs(body) if request.param == "protobuf" else body)

    return decoded


def test_the_details_of_an_operation_are_a_call(decoded: Callable[..., Decoded]) -> None:
    """It has the id of its span, the time at which it ended, an unknown duration, and its answer's features."""
    span = decoded(event_json(DETAILS, ANSWERED)).spans[0]
    assert (span.span_id, span.trace_id) == (f"{TRACE}:{ID}", TRACE)
    assert (span.started_at, span.duration_s, span.gateway) == (1_790_000_002.5, None, "edge")
    assert (span.input_tokens, span.output_tokens, span.response_chars) == (9, 3, 6)


def test_an_event_without_a_span_has_an_id_of_its_place(decoded: Callable[..., Decoded]) -> None:
    """Events that are logged outside of a trace are told apart by where they stood."""
    found = decoded(*[event_json(DETAILS, ANSWERED, traceId="", spanId="")] * 2)
    assert [span.span_id for span in found.spans] == ["topic:3:14:0@1790000000000", "topic:3:14:1@1790000000000"]
    assert [span.trace_id for span in found.spans] == [None, None]
    assert found.derived["span_id"] == 2


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("gen_ai.evaluation.result", "evaluation"),
        ("gen_ai.choice", "call_event"),
        ("gen_ai.client.operation.exception", "call_event"),
        ("http.request", "not_llm_call"),
        ("", "not_llm_call"),
    ],
)
def test_other_events_are_skipped_by_name(decoded: Callable[..., Decoded], name: str, reason: str) -> None:
    """Messages, exceptions and evaluations tell of a call that is counted already."""
    found = decoded(event_json(name, ANSWERED))
    assert (found.spans, found.rejects, found.skipped) == ([], [], Counter({reason: 1}))


def test_the_details_of_a_call_that_names_no_model_are_of_its_span(decoded: Callable[..., Decoded]) -> None:
    """Google's ADK leaves operation and model to the span; what has them is no span's alone."""
    nameless = {"gen_ai.provider.name": "openai", "gen_ai.usage.input_tokens": 9, "gen_ai.usage.output_tokens": 3}
    assert decoded(event_json(DETAILS, nameless)).skipped == {"call_event": 1}
    assert len(decoded(event_json(DETAILS, nameless | {"gen_ai.request.model": "gpt-4o"})).spans) == 1


def test_the_event_and_its_span_have_one_id(read: Read) -> None:
    """Shipped on both signals a call is stored once, since the store knows it by its id."""
    traces, events = read(request(span_json())), read(logs(event_json(DETAILS, ANSWERED)))
    assert traces.spans[0].span_id == events.spans[0].span_id


def test_a_record_without_a_time_takes_that_of_its_message(read: Read) -> None:
    """`observedTimeUnixNano`, else the time of the Kafka record."""
    record = event_json(DETAILS, ANSWERED, timeUnixNano="0", observedTimeUnixNano="1790000003000000000")
    assert read(logs(record)).spans[0].started_at == 1_790_000_003.0
    assert read(logs(record | {"observedTimeUnixNano": "0"})).spans[0].started_at == 1_790_000_000.0


def test_an_evaluation_scores_the_answer_that_it_names(decoded: Callable[..., Decoded]) -> None:
    """In one message with its call an evaluation is the call's score, and a signal under its own name."""
    answered = event_json(DETAILS, ANSWERED | {"gen_ai.response.id": "chatcmpl-1"})
    other = event_json(DETAILS, ANSWERED | {"gen_ai.response.id": "chatcmpl-2"}, spanId="c" * 16)
    evaluation = {"gen_ai.evaluation.name": "relevance", "gen_ai.response.id": "chatcmpl-1"}
    found = decoded(
        event_json("gen_ai.evaluation.result", evaluation | {"gen_ai.evaluation.score.value": 0.75}), answered, other
    )
    scored, unscored = found.spans
    assert (scored.score, (scored.signals or {})["evaluation.relevance"], unscored.score) == (0.75, 0.75, None)
    assert (found.skipped, found.derived["score"]) == (Counter(evaluation=1), 1)


def test_an_evaluation_inside_of_a_calls_span_is_its(decoded: Callable[..., Decoded]) -> None:
    """Without an answer's id the span says whose it is; a scale of its own is no score, but a signal."""
    evaluation = {"gen_ai.evaluation.name": "stars", "gen_ai.evaluation.score.value": 4.0}
    span = decoded(event_json(DETAILS, ANSWERED), event_json("gen_ai.evaluation.result", evaluation)).spans[0]
    assert (span.score, (span.signals or {})["evaluation.stars"]) == (None, 4.0)
