"""Small inputs made after what users of gateways and tracers reported in public, and what is right for each.

The properties come from the reports; names, ids and numbers are others. What could be decided either way is decided in
docs/formats.md under "Decisions".
"""

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from undertow.batch import Decoded, Message, Origin
from undertow_collectors.decode.registry import decode

FOLDER = Path(__file__).parents[2] / "fixtures" / "reported"
KEPT_MEANS = 1.795e9


class Right(NamedTuple):
    """What a file holds: some fields of each span, and the reasons for what is none."""

    spans: tuple[dict[str, Any], ...] = ()
    skipped: dict[str, int] | None = None
    rejects: tuple[str, ...] = ()
    repaired: dict[str, int] | None = None


def one(**fields: Any) -> Right:
    """A file that holds one call and nothing else."""
    return Right((fields,))


STREAM = one(input_tokens=2512, output_tokens=31, cached_input_tokens=2100, stream=True)
KONG = {"gateway": "kong", "provider": "openai"}
CUT = one(input_tokens=200, output_tokens=20, response_chars=None, refusal=None, parse_ok=None)
REFUSES = one(refusal=True, response_chars=40)
NO_ZONE = Right(rejects=("time_without_zone",))

EXPECTED: dict[str, Right] = {
    "operation-name-chat.completions.jsonl": one(operation="chat", output_tokens=44, finish_reason="stop"),
    "operation-name-chat.streaming_completions.jsonl": one(operation="chat", output_tokens=44),
    "operation-name-text.completions.jsonl": one(operation="text_completion", output_tokens=44),
    "litellm-calltype-pass_through_endpoint.jsonl": one(output_tokens=31, finish_reason="stop", response_chars=14),
    "litellm-otlp-operation-passthrough.jsonl": one(output_tokens=20),
    "native-custom-operation.jsonl": one(operation="summarise", output_tokens=20),
    "vercel5-anthropic-cache-apart.jsonl": one(input_tokens=3126, cached_input_tokens=3120, provider="anthropic"),
    "vercel5-bedrock-cache-write-apart.jsonl": one(input_tokens=3126, cached_input_tokens=3120, provider="aws.bedrock"),
    "vercel6-anthropic-cache-inclusive.jsonl": one(input_tokens=3126, cached_input_tokens=3120),
    "vercel6-input-details.jsonl": one(
        input_tokens=2310, output_tokens=1380, cached_input_tokens=2176, reasoning_tokens=1088
    ),
    "openinference-prompt-without-cache.jsonl": one(input_tokens=8603, output_tokens=410, provider="aws.bedrock"),
    "openinference-anthropic-cache-inclusive.jsonl": one(input_tokens=2264, cached_input_tokens=640),
    "strands-agent-cycle-chat.jsonl": Right(
        ({"input_tokens": 8603, "ttft_s": 0.812, "duration_s": 3.0},), {"agent": 1, "not_llm_call": 1}
    ),
    "litellm-cache-read-beside-zero.jsonl": one(input_tokens=2512, cached_input_tokens=2480),
    "litellm-usage-in-response-only.jsonl": one(cached_input_tokens=2480, reasoning_tokens=12),
    "kong-responses-stream-zero-usage.jsonl": one(**KONG, input_tokens=None, output_tokens=None),
    "kong-responses-stream-zero-usage-with-body.jsonl": one(
        **KONG, input_tokens=310, output_tokens=12, cached_input_tokens=128, reasoning_tokens=4
    ),
    "kong-stream-zero-completion.jsonl": one(**KONG, input_tokens=310, output_tokens=None),
    "kong-hidden-reasoning.jsonl": one(input_tokens=6, output_tokens=9, reasoning_tokens=None),
    "litellm-hidden-reasoning.jsonl": one(input_tokens=6, output_tokens=9, reasoning_tokens=None),
    "cloudflare-anthropic-null-tokens.jsonl": one(input_tokens=2512, output_tokens=31, cached_input_tokens=2480),
    "bifrost-responses-stream-zero.jsonl": one(gateway="bifrost", input_tokens=None, output_tokens=None),
    "bifrost-responses-stream-zero-with-raw.jsonl": one(gateway="bifrost", input_tokens=310, output_tokens=12),
    "bifrost-usage-columns-only.jsonl": one(gateway="bifrost", input_tokens=310, output_tokens=12),
    "bifrost-time-offset.jsonl": one(gateway="bifrost", started_at=1794996400.123456),
    "anthropic-stream-delta-zero.jsonl": STREAM,
    "anthropic-stream-start-zero.jsonl": STREAM,
    "anthropic-stream-delta-output-only.jsonl": STREAM,
    "openai-stream-usage-then-zero.jsonl": one(input_tokens=300, output_tokens=2),
    "openai-stream-usage-then-null.jsonl": one(input_tokens=300, output_tokens=2),
    "litellm-negative-cost.jsonl": Right(({"cost_usd": None, "output_tokens": 31},), repaired={"cost_usd": 1}),
    "portkey-cost-minus-one.jsonl": Right(({"cost_usd": None, "gateway": "portkey"},), repaired={"cost_usd": 1}),
    "otlp-optional-cost-minus-one.jsonl": Right(({"cost_usd": None},), repaired={"cost_usd": 1}),
    "otlp-optional-response-id-600-chars.jsonl": Right(({"output_tokens": 20},), repaired={"response_id": 1}),
    "otlp-optional-fingerprint-600-chars.jsonl": Right(({"output_tokens": 20},), repaired={"system_fingerprint": 1}),
    "otlp-long-prompt-name.jsonl": Right(({"output_tokens": 20},), repaired={"prompt_name": 1}),
    "litellm-long-prompt-name.jsonl": Right(({"output_tokens": 31},), repaired={"route": 1}),
    "genai-model-and-usage-only.jsonl": one(
        model="gemini-2.5-flash", input_tokens=1042, output_tokens=96, provider="gcp.gen_ai"
    ),
    "genai-model-usage-server.jsonl": one(model="gpt-4o", provider="openai", output_tokens=96),
    "vllm-v1-no-model.jsonl": one(provider="vllm", model="vllm-eu", input_tokens=88, output_tokens=40, ttft_s=0.21),
    "vllm-v1-no-model-with-parent.jsonl": Right(({"model": "gpt-oss-20b"},), {"provider_side": 1}),
    "claude-code-flat-usage.jsonl": one(
        model="claude-sonnet-4-6", input_tokens=18625, cached_input_tokens=18211, output_tokens=87, ttft_s=0.91
    ),
    "claude-code-with-response-id.jsonl": one(
        model="claude-sonnet-4-6", input_tokens=18625, cached_input_tokens=18211, output_tokens=87, ttft_s=0.91
    ),
    "openinference-many-tools.jsonl": Right(
        ({"model": "gpt-4o", "response_model": "gpt-4o-2024-08-06", "max_tokens": 700},) * 2
    ),
    "openinference-parameters-cut.jsonl": one(model="gpt-4o", response_model="gpt-4o-2024-08-06"),
    "otlp-ttft-in-ms.jsonl": Right(({"ttft_s": None, "duration_s": 3.0},), repaired={"ttft_s": 1}),
    "otlp-ttfc-in-ms.jsonl": Right(({"ttft_s": None, "duration_s": 3.0},), repaired={"ttft_s": 1}),
    "native-ttft-beyond-duration.jsonl": Right(({"ttft_s": None, "duration_s": 3.0},), repaired={"ttft_s": 1}),
    "finish-reason-python-enum.jsonl": one(finish_reason="length"),
    "finish-reason-semantic-kernel.jsonl": one(finish_reason="length"),
    "finish-reason-upper.jsonl": one(finish_reason="length"),
    "otel-limit-cuts-json-answer.jsonl": Right(
        (
            {"parse_ok": None, "response_chars": None, "schema_fingerprint": None},
            {"parse_ok": True, "response_chars": 6591},
        )
    ),
    "output-messages-cut-at-64k.jsonl": CUT,
    "output-messages-structured.jsonl": REFUSES,
    "output-messages-json.jsonl": REFUSES,
    "provider-names.jsonl": Right(
        tuple(
            {"provider": provider, **({"cost_derived": True} if priced else {})}
            for provider, priced in (
                *((("aws.bedrock", True),) * 5),
                *((("gcp.vertex_ai", True), ("gcp.gen_ai", True), ("gcp.gen_ai", True), ("gcp.vertex_ai", True))),
                *((("azure.ai.openai", True), ("azure.ai.openai", True), ("aws.bedrock", True))),
                *((("gcp.vertex_ai", True), ("openai", True), ("openrouter", True), ("fireworks_ai", False))),
                *((("together_ai", True), ("openai", True), ("anthropic", True))),
            )
        )
    ),
    "dotnet-response-tokens.jsonl": one(input_tokens=151, output_tokens=44),
    "litellm-failure-no-time.jsonl": one(status="error", error_class="timeout", duration_s=None),
    "apisix-error-in-seconds.jsonl": one(gateway="apisix", duration_s=0.341, status="error"),
    "apisix-error-in-seconds-no-latency.jsonl": one(gateway="apisix", duration_s=None, status="error"),
    "langfuse-otel-cached-total.jsonl": one(input_tokens=9120, cached_input_tokens=9040),
    "langfuse-otel-cached-exclusive-total.jsonl": one(input_tokens=9120, cached_input_tokens=9040),
    "langfuse-otel-cached-no-total.jsonl": one(input_tokens=18160, cached_input_tokens=9040),
    "langfuse-go.jsonl": one(provider="unknown", model="gpt-4o", input_tokens=120, output_tokens=33),
    "langfuse-no-type.jsonl": one(model="gpt-4o", input_tokens=120, output_tokens=33),
    "envoy-input-zero-output-some.jsonl": one(input_tokens=None, output_tokens=5),
    "litellm-no-first-chunk.jsonl": one(ttft_s=None, stream=True),
    "litellm-values-as-text.jsonl": Right(skipped={"cached_answer": 1}),
    "litellm-same-call-twice.jsonl": Right(({"response_id": "chatcmpl-q90"},) * 2),
    "litellm-calltype-anthropic_messages.jsonl": one(operation="chat", output_tokens=31),
    "litellm-calltype-aresponses.jsonl": one(operation="responses", output_tokens=31),
    "litellm-calltype-agenerate_content_stream.jsonl": one(operation="generate_content", output_tokens=31),
    "otlp-end-before-start.jsonl": one(duration_s=None, output_tokens=20),
    "otlp-no-end.jsonl": one(duration_s=None, output_tokens=20),
    "otlp-json-base64-ids.jsonl": Right(rejects=("invalid_trace_id",)),
    "portkey-time-without-zone.jsonl": NO_ZONE,
    "portkey-three-days-without-zone.jsonl": Right(rejects=("time_without_zone",) * 3),
    "helicone-time-without-zone.jsonl": NO_ZONE,
    "confluent-framed.bin": one(output_tokens=3),
    "confluent-framed-otlp-json.bin": one(output_tokens=20),
    "attributes-evicted.jsonl": Right(skipped={"attributes_dropped": 1}),
}


def read(name: str) -> list[Decoded]:
    """What each message of a file became; lines are messages, other files are one."""
    value = (FOLDER / name).read_bytes()
    bodies = value.splitlines() if name.endswith(".jsonl") else [value]
    return [decode(Message(Origin("t", 0, n), body, KEPT_MEANS)) for n, body in enumerate(bodies) if body.strip()]


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.iterdir() if path.suffix != ".md"))
def test_reported_inputs_are_read_right(name: str) -> None:
    """Every reported input gives the values that the report's property makes right."""
    right, found = EXPECTED[name], read(name)
    spans = [span for decoded in found for span in decoded.spans]
    assert len(spans) == len(right.spans)
    for span, fields in zip(spans, right.spans, strict=True):
        assert {field: getattr(span, field) for field in fields} == fields
    assert sum((decoded.skipped for decoded in found), start=type(found[0].skipped)()) == (right.skipped or {})
    assert tuple(reject.reason for decoded in found for reject in decoded.rejects) == right.rejects
    if right.repaired is not None:
        assert found[0].repaired == right.repaired


def test_every_reported_input_is_expected() -> None:
    """No expectation is left without its file."""
    assert EXPECTED.keys() == {path.name for path in FOLDER.iterdir() if path.suffix != ".md"}
