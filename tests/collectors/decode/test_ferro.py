"""Spans of Ferro Labs' gateway: its cost, its first token, its echo of the model, and who failed."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.collectors.decode.otlp_bodies import request, span_json

from undertow.batch import Decoded
from undertow.span import Span

Read = Callable[..., Decoded]
ANSWERED = {
    "gen_ai.system": "openai",
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.request.is_stream": True,
    "ferro.schema.version": "1.0.0-draft",
    "gen_ai.response.model": "gpt-4o-mini",
    "gen_ai.usage.input_tokens": 11,
    "gen_ai.usage.output_tokens": 7,
    "ferro.cost.usd": 5.6e-06,
    "ferro.stream.time_to_first_token_ms": 283.877,
}
FAILED = {
    "gen_ai.system": "",
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "m",
    "ferro.schema.version": "1",
}


def one(read: Read, attributes: dict[str, Any], **changes: Any) -> Span:
    """The only span of a request of one span, in kind and scope as the gateway's."""
    span = span_json(attributes, name="gateway.request", kind=2, **changes)
    return read(request(span, scope="github.com/ferro-labs/ai-gateway")).spans[0]


def test_cost_and_first_token_are_the_gateways_own(read: Read) -> None:
    """The cost, which knows of cached tokens, is not derived, and milliseconds become seconds."""
    span = one(read, ANSWERED)
    assert (span.cost_usd, span.cost_derived, span.ttft_s, span.stream) == (5.6e-06, None, 0.283877, True)


def test_the_model_of_the_response_is_the_one_that_was_sent(read: Read) -> None:
    """It declares nothing; behind an alias it says which model the provider was asked for."""
    assert one(read, ANSWERED).response_model is None
    aliased = one(read, ANSWERED | {"gen_ai.request.model": "fast"})
    assert (aliased.model, aliased.sent_model, aliased.response_model) == ("fast", "gpt-4o-mini", None)
    other = {name: value for name, value in ANSWERED.items() if not name.startswith("ferro.")}
    assert one(read, other).response_model == "gpt-4o-mini", "the control: other libraries mean what they say"


@pytest.mark.parametrize(
    ("message", "provider", "error_class", "http_status"),
    [
        (
            "all providers failed: target openai: openai API error (429): Rate limit reached",
            "openai",
            "rate_limited",
            429,
        ),
        (
            "all providers failed: provider mistral attempt 2: mistral API error (503): no",
            "mistral_ai",
            "server_error",
            503,
        ),
        ("target openai: refused; target azure-openai: unexpected EOF", "azure.ai.openai", "connection", None),
        ("redacted", "unknown", "other", None),
    ],
)
def test_a_failure_names_its_provider_in_its_sentence(
    read: Read, message: str, provider: str, error_class: str, http_status: int | None
) -> None:
    """The provider's attribute is empty on failures alone; the last one that was tried is in the sentence."""
    span = one(read, FAILED, status={"code": 2, "message": message})
    assert (span.provider, span.status, span.error_class) == (provider, "error", error_class)
    assert span.http_status == http_status


def test_another_gateway_may_say_so_in_the_same_words(read: Read) -> None:
    """A name in such a sentence is that of a provider if it is a known one; a provider that is told counts first."""
    told = {name: value for name, value in FAILED.items() if not name.startswith("ferro.")}
    for message, provider in (("target openai: 500", "openai"), ("target eu-west-1: 500", "unknown")):
        assert one(read, told, status={"code": 2, "message": message}).provider == provider
    failed = {"code": 2, "message": "target openai: 500"}
    assert one(read, told | {"gen_ai.system": "anthropic"}, status=failed).provider == "anthropic"


def test_a_stream_of_which_nothing_came_has_no_first_token(read: Read) -> None:
    """A zero is what the gateway writes where no token came; costs of nothing are unknown, too."""
    broken = ANSWERED | {"ferro.stream.time_to_first_token_ms": 0.0, "ferro.cost.usd": 0.0}
    span = one(read, broken, status={"code": 2, "message": "stream interrupted: unexpected EOF"})
    assert (span.provider, span.ttft_s, span.cost_usd, span.error_class) == ("openai", None, None, "connection")


def test_a_client_that_left_is_no_failure_of_the_provider(read: Read) -> None:
    """Go says `context canceled` where its caller went away."""
    span = one(read, ANSWERED, status={"code": 2, "message": "stream interrupted: context canceled"})
    assert (span.status, span.error_class) == ("cancelled", None)
