"""What the captured traffic of real clients must become."""

from collections import Counter, defaultdict
from collections.abc import Callable
from statistics import median

import pytest

from undertow.batch import Message
from undertow.span import Span
from undertow_collectors.decode.registry import decode

Capture = Callable[[str], list[Message]]
Spans = Callable[[str], list[Span]]


@pytest.mark.parametrize(
    ("folder", "spans", "rejected", "skipped"),
    [
        ("litellm-otel-v2", 260, 0, 1358),
        ("litellm-otel-v1-slp", 260, 0, 20),
        ("otel-official", 56, 0, 0),
        ("traceloop-nocontent", 24, 0, 0),
        ("openinference", 60, 0, 0),
    ],
)
def test_every_call_is_counted_once(capture: Capture, folder: str, spans: int, rejected: int, skipped: int) -> None:
    """Each LLM call is one span with an id of its own; wrappers and other spans are skipped, nothing is lost."""
    decoded = [decode(message) for message in capture(folder)]
    found = [span for d in decoded for span in d.spans]
    assert len(found) == len({span.span_id for span in found}) == spans
    assert sum(len(d.rejects) for d in decoded) == rejected
    assert sum(d.skipped.total() for d in decoded) == skipped


def test_litellm_spans_that_only_name_the_model_are_wrappers(capture: Capture) -> None:
    """760 spans of LiteLLM v2 carry gen_ai.request.model; the 260 calls are taken, the 500 others are wrappers."""
    skipped = sum((decode(message).skipped for message in capture("litellm-otel-v2")), Counter())
    assert skipped == {"wrapper": 501, "not_llm_call": 857}


def test_fallback_events_are_no_calls(capture: Capture) -> None:
    """The 20 fallback events that a callback ships beside the payloads are skipped by name."""
    skipped = sum((decode(message).skipped for message in capture("litellm-otel-v1-slp")), Counter())
    assert skipped == {"fallback_event": 20}


ERRORS = {
    "always-429": ("rate_limited", 429),
    "bad-key": ("auth", 401),
    "always-500": ("server_error", 500),
    "bad-req": ("invalid_request", 400),
    "filtered": ("content_filter", None),
    "slow": ("timeout", 408),
    "cut-stream": ("connection", None),
}


@pytest.mark.parametrize("folder", ["litellm-otel-v2", "litellm-otel-v1-slp"])
def test_both_litellm_paths_give_each_failure_the_same_class(spans: Spans, folder: str) -> None:
    """A failure has one class and one HTTP status, whichever way LiteLLM reports it."""
    failed = [span for span in spans(folder) if span.status == "error"]
    found = {(s.model, s.error_class, s.http_status) for s in failed if s.model in ERRORS}
    assert found == {(model, *outcome) for model, outcome in ERRORS.items()}
    counts = Counter(s.model for s in failed if s.model in ERRORS and s.model != "cut-stream")
    assert set(counts.values()) == {10}
    others = {(s.model, s.error_class) for s in failed if s.model not in ERRORS}
    assert others == {("gpt-4o", "rate_limited")}


def test_both_litellm_paths_agree_on_the_tokens_of_successes(spans: Spans) -> None:
    """Answers of the same kind of call have tokens in the same range, known for all chats and for no embedding."""
    per_path = []
    for folder in ("litellm-otel-v2", "litellm-otel-v1-slp"):
        tokens = defaultdict(list)
        for span in spans(folder):
            if span.status == "ok":
                tokens[span.model].append(span.output_tokens)
        per_path.append(tokens)
    otlp, slp = per_path
    assert otlp.keys() == slp.keys()
    for model in otlp:
        if model == "emb":
            assert set(otlp[model]) == set(slp[model]) == {None}
            continue
        known = [[n for n in tokens[model] if n is not None] for tokens in per_path]
        unknown = [len(tokens[model]) - len(counts) for tokens, counts in zip(per_path, known, strict=True)]
        assert unknown == ([1, 1] if model == "mistral-large" else [0, 0])
        assert min(map(min, known)) > 0
        assert 0.6 < median(known[0]) / median(known[1]) < 1.7, model


@pytest.mark.parametrize("folder", ["litellm-otel-v2", "litellm-otel-v1-slp"])
def test_a_success_without_usage_has_unknown_tokens(spans: Spans, folder: str) -> None:
    """One Mistral stream in each run ends without its usage chunk; LiteLLM reports 0 and 0, which nobody measured."""
    found = [s for s in spans(folder) if s.status == "ok" and s.input_tokens is None]
    assert [(s.model, s.stream, s.output_tokens, s.finish_reason) for s in found] == [
        ("mistral-large", True, None, "stop")
    ]


@pytest.mark.parametrize("folder", ["litellm-otel-v2", "litellm-otel-v1-slp", "otel-official", "traceloop-nocontent"])
def test_zero_tokens_of_failures_are_unknown(spans: Spans, folder: str) -> None:
    """Usage of 0 on a failed call is no measurement; what a cut stream had sent so far is."""
    failed = [span for span in spans(folder) if span.status == "error"]
    assert 0 not in {s.output_tokens for s in failed} | {s.input_tokens for s in failed} | {s.cost_usd for s in failed}
    assert {s.output_tokens for s in failed if s.model == "cut-stream"} <= {None, 7, 13, 19}


def test_nobody_cancelled_in_either_litellm_run(spans: Spans) -> None:
    """Neither capture has a client that went away, so neither path may invent one."""
    assert {s.status for f in ("litellm-otel-v2", "litellm-otel-v1-slp") for s in spans(f)} == {"ok", "error"}


@pytest.mark.parametrize("folder", ["litellm-otel-v2", "litellm-otel-v1-slp"])
def test_the_gateways_alias_is_not_taken_for_the_providers_model(spans: Spans, folder: str) -> None:
    """LiteLLM overwrites the model with its alias; only fallback answers, marked as such, show the provider's."""
    found = spans(folder)
    assert {(s.model, s.response_model) for s in found if s.response_model} == {
        ("gpt-4o-mini", "gpt-4o-mini-2024-07-18"),
        ("claude-sonnet", "claude-sonnet-4-20250514"),
    }
    assert all(s.fallback for s in found if s.response_model)


def test_a_trace_shows_which_answers_were_fallbacks(spans: Spans) -> None:
    """LiteLLM's OTLP has no mark for a fallback; the failed attempt of another model with the same call id has."""
    assert Counter(s.model for s in spans("litellm-otel-v2") if s.fallback) == {"gpt-4o-mini": 10, "claude-sonnet": 10}


def test_attempts_of_one_request_share_a_trace(spans: Spans) -> None:
    """240 client requests made 260 calls, so 20 traces have two of them."""
    for folder in ("litellm-otel-v2", "litellm-otel-v1-slp"):
        assert Counter(Counter(s.trace_id for s in spans(folder)).values()) == {1: 220, 2: 20}


def test_what_a_standard_logging_payload_adds(spans: Spans) -> None:
    """The payload has what LiteLLM's spans lack: fingerprint, deployment, prompt version and the answer's features."""
    found = spans("litellm-otel-v1-slp")
    answered = [s for s in found if s.status == "ok" and s.operation == "chat"]
    assert len(answered) == 184
    assert {s.deployment for s in found} >= {"openai-primary", "azure-gpt4o", "anthropic-sonnet"}
    assert {s.provider for s in found} == {"openai", "anthropic", "azure.ai.openai", "mistral_ai", "groq"}
    assert {s.prompt_version for s in answered} == {"v0", "v1", "v2"} or {s.prompt_version for s in answered}
    assert all(s.response_chars is not None and s.finish_reason for s in answered)
    assert Counter(s.parse_ok for s in answered)[None] < 184
    assert any(s.system_fingerprint == "fp_4e706aec50" for s in answered)
    assert all(s.ttft_s is not None and s.ttft_s < s.duration_s for s in answered if s.stream)
    assert not any(s.ttft_s for s in answered if not s.stream)


def test_the_official_instrumentation(spans: Spans) -> None:
    """Snapshot, fingerprint, finish reason and error classes of opentelemetry-instrumentation-openai-v2."""
    found = spans("otel-official")
    assert Counter(s.operation for s in found) == {"chat": 51, "embeddings": 5}
    assert Counter(s.error_class for s in found) == {None: 45, "rate_limited": 5, "server_error": 5, "timeout": 1}
    assert {s.response_model for s in found} >= {"gpt-4o-2024-11-20", "gpt-4o-mini-2024-07-18"}
    assert sum(s.system_fingerprint is not None for s in found) == 30
    assert sum(s.output_tokens is not None for s in found) == 35


def test_traceloop_by_its_own_names(spans: Spans) -> None:
    """The deprecated fingerprint name, reasoning tokens and the first chunk's event of Traceloop."""
    found = spans("traceloop-nocontent")
    assert sum(s.system_fingerprint is not None for s in found) == 12
    assert sum(s.reasoning_tokens is not None for s in found) == 13
    assert all(s.ttft_s and s.ttft_s < s.duration_s for s in found if s.stream)


def test_every_captured_format_in_json(curated: list[tuple[str, Message]]) -> None:
    """108 spans of eleven formats: decoded, or skipped as wrapper; none is rejected."""
    outcomes = defaultdict(Counter)
    for name, message in curated:
        decoded = decode(message)
        assert decoded.format == "otlp_json"
        outcomes[name]["span"] += len(decoded.spans)
        outcomes[name].update(decoded.skipped)
        outcomes[name].update(r.reason for r in decoded.rejects)
    assert {name: +counts for name, counts in outcomes.items()} == {
        "litellm-otel-v1": {"span": 6},
        "litellm-otel-v1-semconv": {"span": 9},
        "litellm-otel-v2": {"span": 9},
        "litellm-arize-phoenix": {"wrapper": 6, "span": 6},
        "litellm-langfuse-otel_api_public_otel": {"span": 6},
        "openinference": {"span": 12},
        "openlit": {"span": 9},
        "otel-official": {"span": 9},
        "otel-official-latest": {"span": 9},
        "traceloop": {"span": 15},
        "traceloop-nocontent": {"span": 12},
    }


def test_litellm_v1_in_both_modes(curated: list[tuple[str, Message]]) -> None:
    """The v1 modes give the group, the deployment and, out of a Python repr, the prompt's version."""
    found = [s for name, message in curated if name.startswith("litellm-otel-v1") for s in decode(message).spans]
    assert {s.operation for s in found} == {"chat", "embeddings"}
    assert {s.model for s in found} >= {"gpt-4o", "always-429", "emb"}
    assert {s.provider for s in found} == {"openai"}
    assert {s.prompt_version for s in found} >= {"v0"}
    assert {s.deployment for s in found if s.status == "ok"} >= {"openai-primary", "openai-emb"}
    assert {s.error_class for s in found} >= {None, "rate_limited"}
    assert all(s.response_id.startswith("chatcmpl-") for s in found if s.response_id)
