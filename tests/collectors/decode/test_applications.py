"""What LlamaIndex, Haystack, DSPy and CrewAI write beyond what their captures show."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.collectors.decode.otlp_bodies import CALL, START, request, span_json

from undertow.batch import Decoded

Read = Callable[..., Decoded]
LLM = {"openinference.span.kind": "LLM", "llm.model_name": "gpt-4o", "llm.provider": "openai"}
ANSWERED = {"output.value": '["Lima."]', "output.mime_type": "application/json"}
META = {
    "model": "gpt-4o-2024-11-20",
    "finish_reason": "stop",
    "usage": {"prompt_tokens": 41, "completion_tokens": 10, "completion_tokens_details": {"reasoning_tokens": 4}},
}
REPLY = {"role": "assistant", "meta": META, "content": [{"reasoning": {"text": "Hm."}}, {"text": "Lima."}]}
GENERATOR = {"haystack.component.name": "llm", "haystack.component.type": "OpenAIChatGenerator"}
ERROR = {"code": 2, "message": "Error code: 429 - slow down"}


def lasting(took_ns: int, attributes: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A span that took so many nanoseconds."""
    return span_json(attributes, endTimeUnixNano=str(START + took_ns), name="LM.__call__", **changes)


def component(output: Any, **changes: Any) -> dict[str, Any]:
    """A span of Haystack's generator that returned `output`."""
    return span_json(GENERATOR | {"haystack.component.output": json.dumps(output)}, **changes)


@pytest.mark.parametrize(
    ("took_ns", "more", "skipped"),
    [
        (376_000, {}, {"cached_answer": 1}),
        (1_000_000, {}, {}),
        (0, {}, {}),
        (376_000, {"llm.token_count.prompt": 41}, {}),
        (376_000, {"output.value": ""}, {}),
    ],
)
def test_an_answer_at_once_without_usage_came_out_of_a_cache(
    read: Read, took_ns: int, more: dict[str, Any], skipped: dict[str, int]
) -> None:
    """DSPy's own cache leaves no other mark; what took longer, used tokens, or answered nothing is a call."""
    decoded = read(request(lasting(took_ns, LLM | ANSWERED | more)))
    assert dict(decoded.skipped) == skipped
    assert len(decoded.spans) == 1 - len(skipped)


def test_a_stream_that_began_at_once_is_a_call(read: Read) -> None:
    """Spans of streams may end when the stream begins: their name or the event of the first chunk tells."""
    chunk = {"name": "First Token Stream Event", "timeUnixNano": str(START + 50_000_000)}
    for told in ({"events": [chunk]}, {"name": "OpenAI.stream_chat"}):
        (span,) = read(request(lasting(376_000, LLM | ANSWERED) | told)).spans
        assert span.stream


def test_a_failure_at_once_is_a_call(read: Read) -> None:
    """A refused connection takes less than a millisecond, too."""
    assert read(request(lasting(376_000, LLM | ANSWERED, status=ERROR))).spans[0].status == "error"


@pytest.mark.parametrize(
    ("name", "more", "skipped"),
    [
        ("OpenAI.predict", {}, {"wrapper": 1}),
        ("OpenAI.astream", {}, {"wrapper": 1}),
        ("OpenAIEmbedding.get_text_embedding_batch", {"openinference.span.kind": "EMBEDDING"}, {"wrapper": 1}),
        ("OpenAIEmbedding._get_text_embedding", {"openinference.span.kind": "EMBEDDING"}, {}),
        ("OpenAI.chat", {}, {}),
        ("Model.stream", {"llm.input_messages.0.message.role": "user"}, {}),
        ("OpenAI.predict", {"llm.token_count.prompt": 41}, {}),
        ("predict", {}, {}),
    ],
)
@pytest.mark.parametrize("status", [{"code": 1}, ERROR])
def test_a_method_around_a_call_is_no_call_in_a_message_of_its_own(
    read: Read, name: str, more: dict[str, Any], skipped: dict[str, int], status: dict[str, Any]
) -> None:
    """LlamaIndex ends the span of `predict` after that of `chat`, which an exporter may have sent by then."""
    assert dict(read(request(span_json(LLM | more, name=name, status=status))).skipped) == skipped


def test_the_class_names_the_provider_where_nothing_else_does(read: Read) -> None:
    """Embeddings of LlamaIndex, and failures of Haystack's generators, name their class alone."""
    found = {"openinference.span.kind": "EMBEDDING", "embedding.model_name": "e"}
    for name, provider in (
        ("AzureOpenAIEmbedding._get_text_embedding", "azure.ai.openai"),
        ("GoogleGenAITextEmbedder.run", "gcp.gen_ai"),
        ("CreateEmbeddings", "unknown"),
        ("SafeEmbedding._get_text_embedding", "unknown"),
    ):
        assert read(request(span_json(found, name=name))).spans[0].provider == provider


def test_a_generator_says_what_the_provider_said(read: Read) -> None:
    """Haystack's reply has the model that answered, its usage and its parts, of which reasoning is no text."""
    span = read(request(component({"replies": [REPLY]}))).spans[0]
    assert (span.provider, span.model, span.response_model) == ("openai", META["model"], META["model"])
    assert (span.input_tokens, span.output_tokens, span.reasoning_tokens) == (41, 10, 4)
    assert (span.finish_reason, span.response_chars, span.tool_call_count) == ("stop", 5, 0)


def test_generators_of_haystack_2_answer_in_texts(read: Read) -> None:
    """A list of meta stands beside the list of texts."""
    span = read(request(component({"replies": ["Lima."], "meta": [META]}))).spans[0]
    assert (span.model, span.input_tokens, span.response_chars) == (META["model"], 41, 5)


def test_a_generator_without_content_is_told_as_unrecognised(read: Read) -> None:
    """Without content tracing nothing names a model; what has no model at all is skipped as something else."""
    assert dict(read(request(span_json(GENERATOR))).skipped) == {"unrecognised": 1}
    for kind, reason in (("ChatPromptBuilder", "not_llm_call"), ("Agent", "agent"), ("ToolInvoker", "tool")):
        found = GENERATOR | {"haystack.component.type": kind}
        assert dict(read(request(span_json(found))).skipped) == {reason: 1}


def test_an_answer_of_an_application_is_no_reply(read: Read) -> None:
    """A model may answer with JSON that has `replies`; without a model beside them they are the answer itself."""
    found = {"gen_ai.output.messages": json.dumps([{"role": "assistant", "content": '{"replies": ["a"]}'}])}
    span = read(request(span_json(LLM | found))).spans[0]
    assert span.response_chars == len('{"replies": ["a"]}')


@pytest.mark.parametrize("zone_s", [0, 3600, -12_600, 20_700])
def test_the_first_chunk_has_a_time_of_day_in_any_zone(read: Read, zone_s: int) -> None:
    """Haystack writes local time without its zone; zones differ by quarters of an hour, and calls take less."""
    at = datetime.fromtimestamp(START / 1e9 + zone_s + 0.5, UTC).replace(tzinfo=None).isoformat()
    span = read(request(component({"replies": [REPLY | {"meta": META | {"completion_start_time": at}}]}))).spans[0]
    assert span.ttft_s == pytest.approx(0.5, abs=1e-5)
    assert span.stream
    later = datetime.fromtimestamp(START / 1e9 + zone_s + 9.0, UTC).replace(tzinfo=None).isoformat()
    wrong = component({"replies": [REPLY | {"meta": META | {"completion_start_time": later}}]})
    assert read(request(wrong)).spans[0].ttft_s is None


def test_an_attempt_that_failed_does_not_repeat_the_answer_around_it(read: Read) -> None:
    """Haystack's fallback answers after one of its generators failed: both are attempts."""
    failed = span_json(GENERATOR, parentSpanId="bb" * 8, status=ERROR)
    fallback = {"haystack.component.type": "FallbackChatGenerator"}
    found = GENERATOR | fallback | {"haystack.component.output": json.dumps({"replies": [REPLY]})}
    spans = read(request(failed, span_json(found, spanId="bb" * 8))).spans
    assert sorted(span.status for span in spans) == ["error", "ok"]


@pytest.mark.parametrize("failed", [False, True])
def test_a_generator_and_its_instrumented_client_report_one_call(read: Read, failed: bool) -> None:
    """The client is nearer to the provider, whether it names what was asked for or the generator what answered."""
    status = ERROR if failed else {"code": 1}
    answered = {} if failed else {"gen_ai.response.model": META["model"], "gen_ai.response.id": "chatcmpl-1"}
    client = span_json(CALL | answered, parentSpanId="bb" * 8, status=status)
    changes = {"spanId": "bb" * 8, "status": status}
    around = span_json(GENERATOR, **changes) if failed else component({"replies": [REPLY]}, **changes)
    body = request(client)
    body["resourceSpans"] += request(around, scope="haystack")["resourceSpans"]
    decoded = read(body)
    assert [span.model for span in decoded.spans] == ["gpt-4o"]
    assert dict(decoded.skipped) == {"instrumented_twice": 1}


def test_a_generator_of_responses_has_the_body_in_its_meta(read: Read) -> None:
    """OpenAIResponsesChatGenerator keeps all of the response but its output there."""
    usage = {"input_tokens": 41, "output_tokens": 10, "output_tokens_details": {"reasoning_tokens": 4}}
    meta = {"id": "resp_1", "model": "gpt-4o-2024-11-20", "finish_reason": "tool_calls", "usage": usage}
    reply = {"role": "assistant", "meta": meta, "content": [{"tool_call": {"tool_name": "weather", "arguments": {}}}]}
    found = {"haystack.component.type": "AzureOpenAIResponsesChatGenerator"}
    output = {"haystack.component.output": json.dumps({"replies": [reply]})}
    span = read(request(span_json(GENERATOR | found | output))).spans[0]
    assert (span.provider, span.response_id) == ("azure.ai.openai", "resp_1")
    assert (span.input_tokens, span.output_tokens, span.reasoning_tokens) == (41, 10, 4)
    assert (span.finish_reason, span.tool_call_count) == ("tool_calls", 1)


def test_a_list_of_chat_completions_calls_is_an_answer(read: Read) -> None:
    """CrewAI returns the calls alone; tools that were offered have no arguments, and are none."""
    call = {"id": "1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    offered = {"type": "function", "function": {"name": "weather", "parameters": {}}}
    for item, count in ((call, 1), (offered, 0)):
        found = LLM | {"output.value": json.dumps([item]), "output.mime_type": "application/json"}
        assert read(request(span_json(found))).spans[0].tool_call_count == count


def test_crewai_repeats_the_model_that_was_asked_for(read: Read) -> None:
    """Its own tracer writes it in place of the model that answered, which is then unknown; another name is believed."""
    for named, declared in (("gpt-4o", None), ("gpt-4o-2024-11-20", "gpt-4o-2024-11-20")):
        found = span_json(CALL | {"gen_ai.response.model": named})
        assert read(request(found, scope="crewai")).spans[0].response_model == declared
        assert read(request(found)).spans[0].response_model == named
