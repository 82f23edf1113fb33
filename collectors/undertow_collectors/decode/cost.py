"""What a call cost by its provider's list prices, for logs that name no cost.

The prices are those bundled with the library genai-prices; nothing is fetched. They know nothing of discounts, of
batches and of writes into a cache, so that the cost is what an ordinary call of those tokens costs.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from undertow.batch import Decoded
from undertow.span import Span
from undertow_collectors.decode.names import GENERATING, without_provider

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, Provider

VENDORS = {
    "azure.ai.openai": "azure",
    "azure.ai.inference": "azure",
    "aws.bedrock": "aws",
    "gcp.vertex_ai": "google",
    "gcp.gemini": "google",
    "gcp.gen_ai": "google",
    "mistral_ai": "mistral",
    "x_ai": "x-ai",
    "moonshot_ai": "moonshotai",
    "fireworks_ai": "fireworks",
    "together_ai": "together",
}
"""OTel GenAI provider name -> the id it has in the price list, where they differ."""

MAX_RATES = 4096
"""Models of one day whose rates are kept; when there are more, all are looked up anew."""

_DAY_S = 86_400
_ANY_SIZE = 2**63


class Rate(NamedTuple):
    """US dollars a token of one model on one day, and beside them US dollars a call; `output` None is not for sale.

    They hold up to `until` input tokens. Beyond, and where that is negative because the price changes within the day,
    the list itself is asked.
    """

    vendor: "Provider"
    model: "ModelInfo"
    call: float
    input: float
    cached: float
    output: float | None
    reasoning: float
    until: int


_rates: dict[tuple[str, str | None, str | None, str, int], Rate | None] = {}


def add(decoded: Decoded) -> None:
    """Give the spans that name no cost the one that follows from list prices, where provider and model have some."""
    for span in decoded.spans:
        if span.cost_usd is None and (found := of(span)) is not None:
            span.cost_usd = found
            span.cost_derived = True
            decoded.derived["cost_usd"] += 1


def of(span: Span) -> float | None:
    """US dollars by list price at the time of the call; None where tokens or prices are unknown, or where it failed."""
    tokens, output = span.input_tokens, span.output_tokens
    if not tokens or span.status == "error":
        return None
    embeds = span.operation == "embeddings"
    if not embeds and (output is None or span.operation not in GENERATING):
        return None
    key = (span.provider, span.response_model, span.sent_model, span.model, int(span.started_at // _DAY_S))
    rate = _rates[key] if key in _rates else _look_up(key, _moment(span))
    if rate is None or (rate.output is None and not embeds):
        return None
    return _cost(span, rate, tokens, 0 if embeds else output or 0)


def _cost(span: Span, rate: Rate, tokens: int, output: int) -> float | None:
    cached = min(span.cached_input_tokens or 0, tokens)
    reasoning = min(span.reasoning_tokens or 0, output)
    if tokens > rate.until:
        return float(_ask(rate.vendor, rate.model, _moment(span), tokens, cached, output, reasoning))
    found = rate.call + (tokens - cached) * rate.input + cached * rate.cached + reasoning * rate.reasoning
    return found + (output - reasoning) * (rate.output or 0.0)


def _look_up(key: tuple[str, str | None, str | None, str, int], at: datetime) -> Rate | None:
    provider, *names, _ = key
    if len(_rates) >= MAX_RATES:
        _rates.clear()
    wanted = [without_provider(str(name), provider) for name in names if name]
    _rates[key] = found = _rate(VENDORS.get(provider, provider), wanted, at)
    return found


def _rate(vendor_id: str, names: Iterable[str], at: datetime) -> Rate | None:
    vendor = _vendors().get(vendor_id)
    if vendor is None:
        return None
    every = list(_vendors().values())
    model = next((found for name in names if (found := vendor.find_model(name, all_providers=every))), None)
    prices = model.get_prices(at) if model else None
    if model is None or prices is None or prices.input_mtok is None:
        return None
    call = _ask(vendor, model, at)
    fresh, cached, output, reasoning = (
        float(_ask(vendor, model, at, *tokens) - call) for tokens in ((1,), (1, 1), (0, 0, 1), (0, 0, 1, 1))
    )
    sold = None if prices.output_mtok is None else output
    return Rate(vendor, model, float(call), fresh, cached, sold, reasoning, _until(model, prices))


def _until(model: "ModelInfo", prices: "ModelPrice") -> int:
    from genai_prices.types import ModelPrice, TieredPrices, TimeOfDateConstraint

    listed = [] if isinstance(model.prices, ModelPrice) else model.prices
    if any(isinstance(one.constraint, TimeOfDateConstraint) for one in listed):
        return -1
    tiered = [price.tiers for price in vars(prices).values() if isinstance(price, TieredPrices)]
    return min((tier.start for tiers in tiered for tier in tiers), default=_ANY_SIZE)


def _ask(
    vendor: "Provider", model: "ModelInfo", at: datetime, tokens: int = 0, cached: int = 0, output: int = 0,
    reasoning: int = 0,
) -> Decimal:  # fmt: skip
    from genai_prices import Usage

    usage = Usage(
        input_tokens=tokens, cache_read_tokens=cached, output_tokens=output, output_reasoning_tokens=reasoning
    )
    return model.calc_price(usage, vendor, genai_request_timestamp=at).total_price


@cache
def _vendors() -> "dict[str, Provider]":
    from genai_prices.data_snapshot import get_snapshot  # takes a fifth of a second, so not before it is needed

    return {vendor.id: vendor for vendor in get_snapshot().providers}


def _moment(span: Span) -> datetime:
    return datetime.fromtimestamp(span.started_at, UTC)
