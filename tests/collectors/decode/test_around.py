"""Failures that name nobody and calls that do not say how they ended, by the spans that stand around them."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from tests.collectors.decode.otlp_bodies import CALL, START, protobuf, request, span_json

from undertow.batch import Decoded
from undertow.span import Span
from undertow_collectors.decode import failures, joins, names

Read = Callable[..., Decoded]
FAILED = {"code": 2, "message": "it broke"}
NAMELESS = {"gen_ai.operation.name": "chat"}
ANSWERED = CALL | {"gen_ai.response.id": "r", "gen_ai.usage.output_tokens": 3}


def span(number: int, attributes: dict[str, Any], inside: int = 0, second: int = 0, **more: Any) -> dict[str, Any]:
    """A span that takes a second, `inside` of another one of the same trace."""
    ids = {"spanId": f"{number:016x}"} | ({"parentSpanId": f"{inside:016x}"} if inside else {})
    begin = START + second * 10**9
    return span_json(attributes, startTimeUnixNano=str(begin), endTimeUnixNano=str(begin + 10**9), **ids, **more)


def requested(number: int, inside: int, said: Any, second: int = 0, **more: Any) -> dict[str, Any]:
    """The request of an HTTP client, with the attribute of an answer's status or without."""
    return span(number, {"http.request.method": "POST"} | said, inside, second, name="POST", **more)


def answered(code: int) -> dict[str, Any]:
    """The attribute of an HTTP status."""
    return {"http.response.status_code": code}


def spans(read: Read, *found: dict[str, Any]) -> list[Span]:
    """The calls in one message, whichever its encoding."""
    body = request(*found)
    first, second = read(body).spans, read(protobuf(body)).spans
    assert first == second
    return first


def names_of(read: Read, *found: dict[str, Any]) -> list[tuple[str, str]]:
    """Provider and model of each call."""
    return [(one.provider, one.model) for one in spans(read, *found)]


def test_a_failure_without_a_model_is_a_call_and_an_answer_without_one_is_none(read: Read) -> None:
    """Where nothing around it says more, a failure counts for `unknown`; a success that names no model is a reject."""
    assert names_of(read, span(1, NAMELESS, status=FAILED)) == [("unknown", "unknown")]
    assert [reject.reason for reject in read(request(span(1, NAMELESS))).rejects] == ["missing_model"]


def test_a_failure_is_of_the_model_that_a_span_around_it_names(read: Read) -> None:
    """An agent's span names the model of the calls inside of it."""
    agent = span(1, CALL | {"gen_ai.operation.name": "invoke_agent"})
    assert names_of(read, agent, span(2, NAMELESS, 1, status=FAILED)) == [("openai", "gpt-4o")]


def test_a_failure_is_of_the_one_model_that_was_called_before_it(read: Read) -> None:
    """The second turn of a trace whose first turn was answered failed at the same model, unless there were two."""
    failed = span(9, NAMELESS, second=5, status=FAILED)
    assert names_of(read, span(1, ANSWERED), failed)[1] == ("openai", "gpt-4o")
    other = span(2, ANSWERED | {"gen_ai.request.model": "gpt-5", "gen_ai.response.id": "q"}, second=2)
    assert names_of(read, span(1, ANSWERED), other, failed)[2] == ("unknown", "unknown")


def test_a_failure_is_not_of_its_fallback(read: Read) -> None:
    """A call that came after the failure may have been sent to another model because of it."""
    failed = span(1, NAMELESS, status=FAILED)
    assert names_of(read, failed, span(2, ANSWERED, second=5))[0] == ("unknown", "unknown")


def test_a_failure_takes_no_name_that_contradicts_its_own(read: Read) -> None:
    """The provider that it names itself stays, and with it the model of another one is none of its."""
    failed = span(9, NAMELESS | {"gen_ai.provider.name": "anthropic"}, second=5, status=FAILED)
    assert names_of(read, span(1, ANSWERED), failed)[1] == ("anthropic", "unknown")


def test_a_failure_that_two_instrumentations_report_beside_each_other_counts_once(read: Read) -> None:
    """Also where one of them names the model and the other does not."""
    both = request(span(1, CALL, status=FAILED), scope="one")
    both["resourceSpans"] += request(span(2, NAMELESS, status=FAILED), scope="two")["resourceSpans"]
    decoded = read(both)
    assert len(decoded.spans) == 1
    assert decoded.skipped == {"instrumented_twice": 1}


def test_thousands_of_failures_in_one_message_are_read_at_once(read: Read) -> None:
    """However many spans of a trace failed without a name, one inside of the other, none is compared with all."""
    many = [span(n, NAMELESS, n - 1, status=FAILED) for n in range(1, 4001)]
    begun = time.process_time()
    inside = (span(9000 + n, CALL, n + 1) for n in range(2000))
    assert read(request(*many, *inside)).read == 4000 + 2000
    assert time.process_time() - begun < 20


def test_a_sentence_names_the_provider_of_a_failure() -> None:
    """Where it is one that is known, and one alone."""
    assert failures.provider_in("all providers failed: target openai: openai API error (429): Rate") == "openai"
    assert failures.provider_in("target openai: refused; target anthropic: refused") is None
    assert failures.provider_in("the API error of target prod-7") is None


@pytest.mark.parametrize("attribute", ["http.response.status_code", "http.status_code"])
@pytest.mark.parametrize(("code", "found"), [(429, "rate_limited"), (500, "server_error"), (401, "auth")])
def test_the_http_request_inside_of_a_bare_call_says_how_it_ended(
    read: Read, attribute: str, code: int, found: str
) -> None:
    """A call that says nothing of its end was refused where its HTTP request was."""
    [one] = spans(read, span(1, CALL), requested(2, 1, {attribute: code}))
    assert (one.status, one.error_class, one.http_status) == ("error", found, code)


def test_the_last_of_several_requests_decides(read: Read) -> None:
    """A client that tried again was answered in the end; nothing else of an answered call changes."""
    [one] = spans(read, span(1, CALL), requested(2, 1, answered(429)), requested(3, 1, answered(200), second=1))
    assert (one.status, one.http_status) == ("ok", 200)
    [one] = spans(read, span(1, ANSWERED), requested(2, 1, answered(429)))
    assert (one.status, one.http_status, one.error_class) == ("ok", None, None)


def test_a_vague_failure_gets_status_and_class_from_its_request(read: Read) -> None:
    """What the call itself says stays; a 200 is no error's status."""
    [one] = spans(read, span(1, CALL, status=FAILED), requested(2, 1, answered(503)))
    assert (one.error_class, one.http_status) == ("server_error", 503)
    [one] = spans(read, span(1, CALL | {"error.type": "TimeoutError"}, status=FAILED), requested(2, 1, answered(503)))
    assert (one.error_class, one.http_status) == ("timeout", 503)
    [one] = spans(read, span(1, CALL, status=FAILED), requested(2, 1, answered(200)))
    assert (one.error_class, one.http_status) == ("other", None)


def test_a_request_that_was_not_answered_is_a_failure_too(read: Read) -> None:
    """An HTTP client that could not connect has no status."""
    refused = requested(2, 1, {}, status={"code": 2, "message": "dial tcp: connection refused"})
    [one] = spans(read, span(1, CALL), refused)
    assert (one.status, one.error_class, one.http_status) == ("error", "connection", None)


def test_a_failed_span_around_a_bare_call_says_how_the_last_call_ended(read: Read) -> None:
    """An agent whose last call was refused failed with it; the calls before were answered."""
    agent = span(1, {"gen_ai.operation.name": "invoke_agent"}, status={"code": 2, "message": "Error code: 429"})
    found = spans(read, agent, span(2, CALL, 1), span(3, CALL, 1, second=2))
    assert [(one.status, one.error_class) for one in found] == [("ok", None), ("error", "rate_limited")]


def test_without_the_spans_around_it_a_refused_call_looks_answered(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: where nobody looks around, a bare call is a success and a failure is of nobody."""
    monkeypatch.setattr(joins.Around, "complete", lambda *_: None)
    [one] = spans(read, span(1, CALL), requested(2, 1, answered(429)))
    assert (one.status, one.http_status) == ("ok", None)
    assert names_of(read, span(1, ANSWERED), span(9, NAMELESS, second=5, status=FAILED))[1] == ("unknown", "unknown")


@pytest.mark.parametrize(
    ("kind", "sentence", "found"),
    [
        ("*fmt.wrapError", "unexpected EOF", "connection"),
        ("Exception", "Stream failed", "connection"),
        ("ClientPayloadError", "Response payload is not completed: <TransferEncodingError: 400>", "connection"),
        ("java.io.IOException", "closed", "connection"),
        ("TypeError", "fetch failed", "connection"),
        ("PrematureCloseException", "Connection prematurely closed DURING response", "connection"),
        ("*net.OpError", "read tcp 10.0.0.1:443: i/o timeout", "timeout"),
        ("*url.Error", "context deadline exceeded (Client.Timeout exceeded)", "timeout"),
        ("*fmt.wrapError", "Error 429, Message: Rate limit", "rate_limited"),
    ],
)
def test_what_clients_say_of_a_failure_is_its_class(kind: str, sentence: str, found: str) -> None:
    """By the type where it says something, else by the words."""
    code = failures.status_in(sentence)
    assert failures.class_of(failures.bare(kind), code, sentence) == found
    assert (names.http_status(code) == 429) == (found == "rate_limited")


@pytest.mark.parametrize("sentence", ["abandoned stream", "context canceled", "client disconnected"])
def test_a_stream_that_the_application_left_is_cancelled_and_has_no_length(read: Read, sentence: str) -> None:
    """Whatever partial text stands in its span; one that was cut has none either."""
    partial = CALL | {
        "gen_ai.output.messages": '[{"role": "assistant", "parts": [{"type": "text", "content": "Half"}]}]'
    }
    [left] = spans(read, span(1, partial, status={"code": 2, "message": sentence}))
    [cut] = spans(read, span(1, partial, status={"code": 2, "message": "unexpected EOF"}))
    [whole] = spans(read, span(1, partial))
    assert (left.status, cut.status, whole.status) == ("cancelled", "error", "ok")
    assert [one.response_chars for one in (left, cut, whole)] == [None, None, 4]
