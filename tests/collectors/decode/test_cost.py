"""What a call cost by list prices, where its log does not say."""

import json
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from genai_prices import Usage, calc_price

from undertow.span import Span
from undertow_collectors.decode import cost
from undertow_collectors.decode.recent import Recent

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def span(provider: str, model: str, **fields: Any) -> Span:
    """A call of a thousand tokens that a hundred answered."""
    fields = {"started_at": NOON.timestamp(), "input_tokens": 1000, "output_tokens": 100} | fields
    return Span(span_id="a", provider=provider, model=model, **fields)


def listed(vendor: str, model: str, at: datetime = NOON, **usage: int) -> float:
    """The library's own answer."""
    found = calc_price(Usage(**usage), model, provider_id=vendor, genai_request_timestamp=at)
    return float(found.total_price)


MODELS = [
    ("openai", "openai", "gpt-4o"),
    ("openai", "openai", "gpt-4o-mini-2024-07-18"),
    ("openai", "openai", "o3"),
    ("azure.ai.openai", "azure", "gpt-4o"),
    ("anthropic", "anthropic", "claude-sonnet-4-5"),
    ("anthropic", "anthropic", "claude-sonnet-4-20250514"),
    ("aws.bedrock", "aws", "us.anthropic.claude-sonnet-4-20250514-v1:0"),
    ("gcp.gemini", "google", "gemini-2.5-pro"),
    ("gcp.vertex_ai", "google", "gemini-2.5-flash"),
    ("mistral_ai", "mistral", "mistral-large-latest"),
    ("x_ai", "x-ai", "grok-4"),
    ("groq", "groq", "llama-3.3-70b-versatile"),
    ("deepseek", "deepseek", "deepseek-chat"),
    ("cohere", "cohere", "command-r-plus"),
    ("perplexity", "perplexity", "sonar"),
]


@pytest.mark.parametrize(("provider", "vendor", "model"), MODELS)
@pytest.mark.parametrize("tokens", [1, 1_000, 128_000, 128_001, 200_000, 200_001, 900_000])
def test_the_price_is_the_list_price(provider: Any, vendor: Any, model: Any, tokens: Any) -> None:
    """Providers by their OTel names, cached and reasoning tokens, and tiers on either side of their start."""
    found = cost.of(span(provider, model, input_tokens=tokens, cached_input_tokens=tokens // 3, reasoning_tokens=40))
    usage = {"input_tokens": tokens, "cache_read_tokens": tokens // 3}
    expected = listed(vendor, model, **usage, output_tokens=100, output_reasoning_tokens=40)
    assert found == pytest.approx(expected, rel=1e-9)
    assert expected > 0


def test_the_price_of_the_day_and_the_hour() -> None:
    """A price that starts on a date, and one that is lower at night, are those of the moment of the call."""
    moments = [datetime(2025, 8, day, hour, tzinfo=UTC) for day in (1, 20) for hour in (3, 12, 17, 20)]
    found = [cost.of(span("deepseek", "deepseek-chat", started_at=at.timestamp())) for at in moments]
    usage = {"input_tokens": 1000, "output_tokens": 100}
    assert found == [pytest.approx(listed("deepseek", "deepseek-chat", at, **usage)) for at in moments]
    assert len(set(found)) > 1
    before, after = (datetime(2025, month, 1, tzinfo=UTC) for month in (5, 7))  # o3 became cheaper in June
    dear, cheap = (cost.of(span("openai", "o3", started_at=at.timestamp())) for at in (before, after))
    assert dear == pytest.approx(listed("openai", "o3", before, **usage))
    assert cheap == pytest.approx(listed("openai", "o3", after, **usage))
    assert dear > cheap


def test_the_model_that_answered_comes_first() -> None:
    """The declared model, else the one sent, else the one asked for; an alias that no list knows is passed over."""
    mini = cost.of(span("openai", "gpt-4o-mini"))
    assert cost.of(span("openai", "gpt-4o", response_model="gpt-4o-mini-2024-07-18")) == mini
    assert cost.of(span("openai", "gpt-4o", sent_model="openai/gpt-4o-mini")) == mini
    assert cost.of(span("openai", "gpt-4o-mini", response_model="house-blend")) == mini


UNKNOWN = [
    span("openai", "house-blend"),
    span("unknown", "gpt-4o"),
    span("my-openai-proxy", "gpt-4o"),
    span("vllm", "llama-3.3-70b"),
    span("openai", "gpt-4o", input_tokens=None),
    span("openai", "gpt-4o", input_tokens=0),
    span("openai", "gpt-4o", output_tokens=None),
    span("openai", "gpt-4o", status="error"),
    span("openai", "gpt-4o", operation="rerank"),
    span("openai", "text-embedding-3-small"),
    span("openai", "whisper-1", operation="embeddings"),
]


@pytest.mark.parametrize("call", UNKNOWN)
def test_what_is_unknown_stays_unknown(call: Any) -> None:
    """No guess without tokens or without a list price of that provider, and nothing for calls that failed."""
    assert cost.of(call) is None


def test_embeddings_cost_their_input() -> None:
    """Calls that generate nothing have no output tokens to know."""
    found = cost.of(span("openai", "text-embedding-3-small", operation="embeddings", output_tokens=None))
    assert found == pytest.approx(listed("openai", "text-embedding-3-small", input_tokens=1000))


def test_counts_that_contradict_each_other() -> None:
    """More cached than input, or more reasoning than output, is all of it."""
    whole = cost.of(span("openai", "gpt-4o", cached_input_tokens=1000))
    assert cost.of(span("openai", "gpt-4o", cached_input_tokens=5000, reasoning_tokens=9000)) == whole


@pytest.fixture(name="asked")
def _asked(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Any]]:
    """Forget all rates, keep so many, look up the first `free` names at once; which names and days were looked up."""

    def start(size: int, free: int) -> list[Any]:
        asked: list[Any] = []

        def noting(find: Callable[[Any], Any]) -> Callable[[Any], Any]:
            return lambda key: asked.append(key) or find(key)

        monkeypatch.setattr(cost, "_rates", {})
        monkeypatch.setattr(cost, "MAX_RATES", size)
        monkeypatch.setattr(cost, "_model", Recent(noting(cost._find_model), None, size, free))
        monkeypatch.setattr(cost, "_rate", Recent(noting(cost._find_rate), None, size, size))
        return asked

    return start


def test_the_list_is_asked_once_a_model_and_day(asked: Callable[..., list[Any]]) -> None:
    """Models are kept, unknown ones too, and rates by day; no more of either than MAX_RATES."""
    looked_up = asked(3, 3)
    for day in (0, 1, 0, 1):
        at = NOON.timestamp() + 86_400 * day
        cost.of(span("openai", "gpt-4o", started_at=at))
        cost.of(span("openai", "house-blend", started_at=at))
    assert sorted(looked_up, key=repr) == [
        ("openai", "gpt-4o"),
        ("openai", "gpt-4o", NOON.timestamp() // 86_400),
        ("openai", "gpt-4o", NOON.timestamp() // 86_400 + 1),
        ("openai", "house-blend"),
    ]
    for n in range(20):
        cost.of(span("vllm", f"m{n}"))
        assert max(len(cost._rates), len(cost._model)) <= 3


def test_names_that_never_come_again_are_not_looked_up(asked: Callable[..., list[Any]]) -> None:
    """Of a thousand request ids those within the limit are looked up, and a model that comes twice has its cost."""
    looked_up = asked(100, 10)
    for n in range(1000):
        cost.of(span("openai", f"req-{n}"))
    assert len(looked_up) == 10
    assert cost.of(span("openai", "gpt-4o")) is None
    expected = listed("openai", "gpt-4o", input_tokens=1000, output_tokens=100)
    assert cost.of(span("openai", "gpt-4o")) == pytest.approx(expected)


def test_every_name_looked_up_would_be_noticed(asked: Callable[..., list[Any]]) -> None:
    """Negative control: where every name is looked up at once, each request id costs a look-up."""
    looked_up = asked(100, 10_000)
    for n in range(1000):
        cost.of(span("openai", f"req-{n}"))
    assert len(looked_up) == 1000


def test_a_price_that_changes_is_that_of_the_day(asked: Callable[..., list[Any]]) -> None:
    """Calls of two days in any order cost what the list says of each, and each day is looked up once."""
    looked_up = asked(100, 10)
    days = [datetime(2026, 3, day, 12, tzinfo=UTC) for day in (10, 16)]  # the price changed in between
    usage = {"input_tokens": 300_000, "output_tokens": 100}
    expected = [listed("anthropic", "claude-opus-4-6", at=day, **usage) for day in days]
    assert expected[0] != expected[1]
    for day, price in [*zip(days, expected, strict=True)] * 3:
        call = span("anthropic", "claude-opus-4-6", started_at=day.timestamp(), **usage)
        assert cost.of(call) == pytest.approx(price)
    assert len(looked_up) == 3


def test_nothing_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prices come from the package alone."""

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a connection")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(cost, "_rates", {})
    cost._vendors.cache_clear()
    assert cost.of(span("openai", "gpt-4o"))


NATIVE = {
    "span_id": "a",
    "started_at": NOON.timestamp(),
    "provider": "openai",
    "model": "gpt-4o",
    "input_tokens": 1000,
    "output_tokens": 100,
}
LITELLM = {
    "id": "a",
    "call_type": "acompletion",
    "status": "success",
    "custom_llm_provider": "openai",
    "model": "gpt-4o",
    "startTime": NOON.timestamp(),
    "endTime": NOON.timestamp() + 1,
    "prompt_tokens": 1000,
    "completion_tokens": 100,
    "model_parameters": {},
}


@pytest.mark.parametrize("message", [NATIVE, [NATIVE], NATIVE | {"extra": 1}, LITELLM])
def test_every_format_gets_it(read: Callable[..., Any], message: Any) -> None:
    """A span without a cost gets one, marked and counted, whichever way it was decoded."""
    decoded = read(message)
    (found,) = decoded.spans
    assert found.cost_usd == pytest.approx(0.0035)
    assert found.cost_derived is True
    assert decoded.derived["cost_usd"] == 1


def test_a_cost_that_was_logged_stays(read: Callable[..., Any]) -> None:
    """What the log says counts, be it nothing at all."""
    for given in (0, 0.5):
        decoded = read([NATIVE | {"cost_usd": given}, NATIVE | {"cost_usd": given, "span_id": "b"}])
        assert {s.cost_usd for s in decoded.spans} == {given}
        assert {s.cost_derived for s in decoded.spans} == {None}
        assert not decoded.derived


def test_a_list_that_contradicts_itself(read: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake in the price list costs a price, and no span."""

    def fail(*_: Any) -> None:
        raise ValueError("more-specific usage exceeds input_tokens")

    monkeypatch.setattr(cost, "_rates", {})
    monkeypatch.setattr(cost, "_rate", fail)
    (found,) = read(NATIVE).spans
    assert (found.cost_usd, found.cost_derived) == (None, None)


def test_hostile_names_of_models_finish() -> None:
    """Long names and signs of regular expressions in them find nothing and break nothing."""
    for name in ("(" * 512, "a-" * 256, "gpt-4o" * 85, "\x00", "claude" + "-1" * 200, json.dumps({})):
        for provider in ("openai", "anthropic", "aws.bedrock", "gcp.vertex_ai", "openrouter"):
            cost.of(span(provider, name))
