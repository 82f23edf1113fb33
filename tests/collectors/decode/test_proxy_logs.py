"""The traps of gateways that log every request they proxy: Kong, APISIX, Envoy AI Gateway."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from undertow.batch import Decoded, Message
from undertow.commands.explain import as_object, records
from undertow.span import Span
from undertow_collectors.decode.provenance import Provenance
from undertow_collectors.decode.registry import decode

Capture = Callable[[str], list[Message]]
Read = Callable[..., Decoded]
META = {"request_model": "gpt-4o", "provider_name": "openai", "plugin_id": "p", "llm_latency": 500}
TARGET = {"provider": "openai", "model": "gpt-4o", "host": "api.openai.com", "upstream_uri": "/v1/chat/completions"}


def kong(block: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A record of Kong with one block of its proxy plugin."""
    return {"started_at": 1_790_000_000_000, "request": {"id": "r"}, "latencies": {}, "ai": {"proxy": block}} | changes


def apisix(summary: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A record of APISIX with its summary."""
    return {"start_time": 1_790_000_000_000, "llm_summary": {"model": "gpt-4o"} | summary} | changes


def envoy(**changes: Any) -> dict[str, Any]:
    """A line of Envoy's access log."""
    found = {"gen_ai.request.model": "gpt-4o", "start_time": "2026-11-20T12:00:00Z", "response_flags": "-"}
    return found | {"duration": 900, "response_code": 200, "x-request-id": "x"} | changes


@pytest.fixture(name="one")
def _one(read: Read) -> Callable[[Any], Span]:
    """The only span of a record."""

    def one(record: Any) -> Span:
        (span,) = read(record).spans
        return span

    return one


def test_kongs_failed_targets_are_attempts_of_their_own(read: Read) -> None:
    """Each target that was tried before the last is a failed call of the same trace, without a time of its own."""
    other = TARGET | {"provider": "azure", "host": "eu.openai.azure.com"}
    decoded = read(kong({"meta": META, "tried_targets": [TARGET, TARGET, other]}, response={"status": 200}))
    assert [(s.span_id, s.attempt, s.fallback, s.status, s.duration_s) for s in decoded.spans] == [
        ("r:proxy:0", 0, False, "error", None),
        ("r:proxy:1", 1, False, "error", None),
        ("r:proxy", 2, True, "ok", 0.5),
    ]
    assert {s.trace_id for s in decoded.spans} == {"r"}
    assert [s.http_status for s in decoded.spans] == [None, None, 200]
    assert decoded.derived["status"] == 2


def test_kong_without_a_request_id_gives_every_record_its_own(read: Read) -> None:
    """Before 3.5 no record has an id; two of them must not be one call."""
    spans = read([kong({"meta": META}, request={}), kong({"meta": META}, request={})]).spans
    assert len({span.span_id for span in spans}) == 2
    assert {span.trace_id for span in spans} == {None}


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 5, "completion_tokens": 2}, (5, 2)),
        ({"prompt_token": 5, "completion_token": 2}, (5, 2)),
        ({"input_tokens": 5, "output_tokens": 2}, (5, 2)),
        ({"prompt_tokens": 0, "completion_tokens": 0}, (None, None)),
    ],
)
def test_kongs_tokens_by_all_their_names(one: Any, usage: Any, expected: Any) -> None:
    """Plural, singular, and of media; zero of both was not measured."""
    span = one(kong({"meta": META, "usage": usage}))
    assert (span.input_tokens, span.output_tokens) == expected


def test_kongs_zeros_and_repetitions_say_nothing(one: Any) -> None:
    """No prices, no provider's word for the model, no latency, no first token: unknown."""
    usage = {"prompt_tokens": 5, "completion_tokens": 2, "cost": 0, "time_to_first_token": 500}
    meta = META | {"response_model": "gpt-4o", "llm_latency": -1, "request_mode": "oneshot"}
    span = one(kong({"meta": meta, "usage": usage}))
    assert (span.response_model, span.duration_s, span.ttft_s) == (None, None, None)
    assert span.cost_derived  # from a list of prices, because the log's zero says nothing


@pytest.mark.parametrize(("verdict", "score"), [(85, 0.85), ("85", 0.85), (0, 0.0), (101, None), ("?", None)])
def test_the_verdict_of_kongs_judge_is_a_score(read: Read, verdict: Any, score: Any) -> None:
    """1 to 100 becomes 0 to 1; it is another model's work, so it counts as derived."""
    decoded = read(kong({"meta": META, "ai-llm-as-judge": {"usage": {"llm_accuracy": verdict}}}))
    assert decoded.spans[0].score == score
    assert decoded.derived["score"] == (score is not None)


@pytest.mark.parametrize(
    ("target", "operation"),
    [
        ({"route_type": "llm/v1/embeddings"}, "embeddings"),
        ({"route_type": "preserve", "upstream_uri": "/v1/responses"}, "responses"),
        ({"route_type": "llm/v1/chat", "upstream_uri": "/v1/messages"}, "chat"),
        ({}, "chat"),
    ],
)
def test_kongs_operations(one: Any, target: Any, operation: Any) -> None:
    """By the type of the route, else by the path that was called."""
    assert one(kong({"meta": META, "tried_targets": [target]})).operation == operation


@pytest.mark.parametrize(
    ("upstream", "expected"),
    [
        ("api.openai.com:443", ("api.openai.com", "openai", None, None)),
        ("api.openai.com:443, api.openai.com:443", ("api.openai.com", "openai", 1, False)),
        ("api.openai.com:443, api.deepseek.com:443", ("api.deepseek.com", "deepseek", 1, True)),
        ("192.0.2.1:443", ("192.0.2.1", "unknown", None, None)),
        ("", (None, "unknown", None, None)),
        (None, (None, "unknown", None, None)),
    ],
)
def test_apisix_names_its_upstreams_alone(one: Any, upstream: Any, expected: Any) -> None:
    """The last address answered; the ones before it had failed."""
    span = one(apisix({}, upstream=upstream))
    assert (span.server_address, span.provider, span.attempt, span.fallback) == expected


def test_apisix_failures_take_the_time_that_has_one_unit(one: Any) -> None:
    """0.840 was seconds in one version and is milliseconds in the next; the upstream's latency always is."""
    span = one(apisix({"upstream_response_time": "0.840"}, response={"status": 500}, upstream_latency=840))
    assert (span.duration_s, span.status, span.error_class) == (0.84, "error", "server_error")


def test_apisix_text_for_numbers(read: Read) -> None:
    """nginx's variables are text; each repair is counted."""
    summary = {"prompt_tokens": "23", "completion_tokens": "8", "stream": "true", "duration": "12"}
    decoded = read(apisix(summary))
    span = decoded.spans[0]
    assert (span.input_tokens, span.output_tokens, span.stream, span.ttft_s) == (23, 8, True, 0.012)
    assert decoded.coerced == {"input_tokens": 1, "output_tokens": 1, "stream": 1, "ttft_s": 1}


@pytest.mark.parametrize(
    ("backend", "provider"),
    [
        ("default/openai/route/r/rule/0/ref/0", "openai"),
        ("default/azure-openai-eu/route/r/rule/0/ref/0", "azure.ai.openai"),
        ("default/envoy-ai-gateway-basic-aws-bedrock/route/r/rule/0/ref/0", "aws.bedrock"),
        ("prod/team-a.anthropic/route/r/rule/0/ref/0", "anthropic"),
        ("openai-primary", "openai"),
        ("default/tars/route/r/rule/0/ref/0", "unknown"),
        ("-", "unknown"),
        (None, "unknown"),
    ],
)
def test_envoys_provider_is_a_backend(read: Read, backend: Any, provider: Any) -> None:
    """The path of a backend names the deployment; which provider it is, only its words can say."""
    decoded = read(envoy(**{"gen_ai.provider.name": backend}))
    assert (decoded.spans[0].provider, decoded.derived["provider"]) == (provider, 1)
    expected = None if backend in ("-", None) else backend.partition("/route/")[0]
    assert decoded.spans[0].deployment == expected


@pytest.mark.parametrize(
    ("code", "flags", "expected"),
    [
        (200, "-", ("ok", None, 200)),
        (200, "UPE", ("error", "connection", 200)),
        (200, "DC", ("cancelled", None, 200)),
        (0, "DC", ("cancelled", None, None)),
        (429, "-", ("error", "rate_limited", 429)),
        (503, "UF,URX", ("error", "connection", 503)),
        (504, "UT", ("error", "timeout", 504)),
        (200, "NEW", ("ok", None, 200)),
        (500, None, ("error", "server_error", 500)),
    ],
)
def test_envoys_flags_know_better(one: Any, code: Any, flags: Any, expected: Any) -> None:
    """A stream that broke or a client that left has the status of its beginning; the flags tell its end."""
    span = one(envoy(response_code=code, response_flags=flags))
    assert (span.status, span.error_class, span.http_status) == expected


def test_envoys_authority_counts_where_it_is_a_providers(one: Any) -> None:
    """It is the provider's host where the gateway rewrites it, else the client's idea of the gateway."""
    assert one(envoy(**{":authority": "api.openai.com", "upstream_host": "192.0.2.7:443"})).provider == "openai"
    span = one(envoy(**{":authority": "ai.example.com", "upstream_host": "192.0.2.7:443"}))
    assert (span.server_address, span.provider) == ("192.0.2.7", "unknown")


def test_every_key_of_the_guides_envoy_log_is_read(read: Read) -> None:
    """docs/shipping.md asks Envoy for no key that nobody reads."""
    guide = (Path(__file__).parents[3] / "docs" / "shipping.md").read_text().partition("## Envoy AI Gateway")[2]
    keys = re.findall(r'^ +"?([\w.:-]+?)"?: "%', guide.partition("## ")[0], re.MULTILINE)
    assert len(keys) == 16
    decoded = read(dict.fromkeys(keys, "-") | envoy())
    assert (decoded.format, len(decoded.spans), dict(decoded.unknown)) == ("envoy", 1, {})


def test_headers_of_an_upstream_do_not_mislead(read: Read) -> None:
    """A provider behind Envoy leaves its headers in the logs of other gateways."""
    headers = {"x-envoy-upstream-service-time": "451", "x-request-id": "a"}
    assert read(kong({"meta": META}, response={"status": 200, "headers": headers})).format == "kong"
    assert read(apisix({}, response={"status": 200, "headers": headers})).format == "apisix"


FOLDERS = ["kong", "apisix", "envoy", "portkey", "helicone", "bifrost", "cloudflare", "openrouter", "langfuse"]


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_field_is_left_without_its_source(capture: Capture, folder: Any) -> None:
    """Explained, every field of these formats says where it came from."""
    for message in capture(folder):
        sources = Provenance()
        decoded = decode(message, sources=sources)
        told = [as_object(record, message.origin, decoded.format) for record in records(decoded, sources)]
        assert {name for row in told for name, f in row["fields"].items() if "not noted" in f["source"]} == set()
