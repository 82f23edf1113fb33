"""What a call cost by its provider's list prices, for logs that name no cost.

The prices are those bundled with the library genai-prices; nothing is fetched. They know nothing of discounts, of
batches and of writes into a cache, so that the cost is what an ordinary call of those tokens costs.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from undertow.batch import Decoded
from undertow.span import Span
from undertow_collectors.decode import providers
from undertow_collectors.decode.names import generates
from undertow_collectors.decode.recent import Recent

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
"""Names of models whose rates are kept, those used last; a look-up takes milliseconds."""

FREE = 256
"""Names beyond so many are looked up when they come a second time: a request id never does."""

_PATH = re.compile(r"^(?:projects/.+/)?(?:(?:publishers|accounts)/[^/]+/)?models/")
"""What stands before a model in the names of Gemini (`models/`), Vertex (`publishers/google/models/`) and Fireworks."""
_REVISION = re.compile(r"@(?:\d{3}|default)$")
_FREE = ":free"
"""What OpenRouter's names end with that cost nothing."""

_DAY_S = 86_400
_CONTRADICTIONS = (ArithmeticError, LookupError, TypeError, ValueError)
_ANY_SIZE = 2**63


class Rate(NamedTuple):
    """US dollars a call, and a token of input and output, of one model on one day, up to `until` input tokens.

    Beyond, and where `until` is negative because the price changes within the day, the list itself is asked. `cached`
    and `reasoning` are what such a token costs more than another, or less. An `output` of None is not for sale.
    """

    until: int
    call: float
    input: float
    output: float | None
    cached: float
    reasoning: float
    vendor: "Provider"
    model: "ModelInfo"


_Key = tuple[str, str | None, str | None, str]
_rates: dict[_Key, tuple[float, Rate | None]] = {}
"""By provider and the names of a model: when the day began that was looked up last, and the rate on it."""
_NEVER = (-1e9, None)


def add(decoded: Decoded) -> None:
    """Give the spans that name no cost the one that follows from list prices, where provider and model have some."""
    derived = 0
    for span in decoded.spans:
        if span.cost_usd is None and span.cost_derived is None and (found := safely(span)) is not None:
            span.cost_usd = found
            span.cost_derived = True
            derived += 1
    if derived:
        decoded.derived["cost_usd"] += derived


class Call(msgspec.Struct, gc=False):
    """The fields of a span that its cost follows from, for where there are no spans."""

    provider: str
    response_model: str | None
    sent_model: str | None
    model: str
    started_at: float
    operation: str
    status: str
    input_tokens: int | None
    output_tokens: int | None
    cached_input_tokens: int | None
    reasoning_tokens: int | None


def each(calls: Sequence[Call | None]) -> list[float | None]:
    """`safely` of each call, in order, and None of None."""
    try:
        return [None if call is None else of(call) for call in calls]
    except _CONTRADICTIONS:  # of one of them
        return [None if call is None else safely(call) for call in calls]


def safely(span: Span | Call) -> float | None:
    """`of`, but None where the list cannot be asked."""
    try:
        return of(span)
    except _CONTRADICTIONS:
        return None  # the list contradicts itself; the span is whole without a cost


def of(span: Span | Call) -> float | None:
    """US dollars by list price at the time of the call; None where tokens or prices are unknown, or where it failed."""
    tokens, output, operation = span.input_tokens, span.output_tokens, span.operation
    if not tokens or span.status == "error":
        return None
    if operation == "embeddings":
        output = 0
    elif output is None or (operation != "chat" and not generates(operation)):
        return None
    key = (span.provider, span.response_model, span.sent_model, span.model)
    since, rate = _rates.get(key, _NEVER)
    if not 0 <= span.started_at - since < _DAY_S:
        rate = _look_up(key, span.started_at)
    if rate is None or (rate.output is None and operation != "embeddings"):
        return None
    return _cost(span, rate, tokens, output)


def _cost(span: Span | Call, rate: Rate, tokens: int, output: int) -> float:
    until, call, fresh, written, cached, reasoning, vendor, model = rate
    some, hidden = span.cached_input_tokens, span.reasoning_tokens
    if tokens > until:
        more = min(some or 0, tokens), output, min(hidden or 0, output)
        return float(_ask(vendor, model, _moment(span.started_at), tokens, *more))
    found = call + tokens * fresh + output * (written or 0.0)
    if some:
        found += min(some, tokens) * cached
    if hidden:
        found += min(hidden, output) * reasoning
    return found


def _look_up(key: _Key, started_at: float) -> Rate | None:
    provider, *names = key
    vendor_id, day = VENDORS.get(provider, provider), started_at // _DAY_S
    wanted = [providers.without_prefix(name, provider) for name in names if name]
    name = next((name for name in wanted if _model((vendor_id, name))), None)
    found = _rate((vendor_id, name, day)) if name is not None else None
    if name is not None or all((vendor_id, one) in _model for one in wanted):  # or it is asked when it comes again
        if len(_rates) >= MAX_RATES:
            _rates.clear()  # what is below keeps the costly part
        _rates[key] = day * _DAY_S, found
    return found


def _find_model(key: tuple[str, str]) -> "ModelInfo | None":
    vendor_id, name = key
    vendor = _vendors().get(vendor_id)
    if vendor is None:
        return None
    every = list(_vendors().values())
    spellings = dict.fromkeys((name, _PATH.sub("", name), _REVISION.sub("", _PATH.sub("", name))))
    return next((found for one in spellings if (found := vendor.find_model(one, all_providers=every))), None)


def _find_rate(key: tuple[str, str, float]) -> Rate | None:
    vendor_id, name, day = key
    vendor, model, at = _vendors()[vendor_id], _model((vendor_id, name)), _moment(day * _DAY_S)
    prices = model.get_prices(at) if model else None
    if model is not None and name.endswith(_FREE):
        return Rate(_ANY_SIZE, 0.0, 0.0, 0.0, 0.0, 0.0, vendor, model)
    if model is None or prices is None or prices.input_mtok is None:
        return None
    call = _ask(vendor, model, at)
    probes = ((1,), (1, 1), (0, 0, 1), (0, 0, 1, 1))
    fresh, cached, output, reasoning = (_ask(vendor, model, at, *tokens) - call for tokens in probes)
    sold = None if prices.output_mtok is None else float(output)
    more = float(cached - fresh), float(reasoning - output)
    return Rate(_until(model, prices), float(call), float(fresh), sold, *more, vendor, model)


_model: "Recent[tuple[str, str], ModelInfo | None]" = Recent(_find_model, None, MAX_RATES, FREE)
_rate: Recent[tuple[str, str, float], Rate | None] = Recent(_find_rate, None, MAX_RATES, MAX_RATES)


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


def _moment(unix_seconds: float) -> datetime:
    return datetime.fromtimestamp(unix_seconds, UTC)
