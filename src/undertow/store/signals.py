"""What a series can show, as SQL over the span columns. Rollups, sketches and queries all follow these tables."""

from typing import Literal, NamedTuple

from undertow.errors import UsageError

_CONTENT = "status = 'ok' AND fallback IS NOT TRUE"
_SUCCESS = "status = 'ok'"
_EVERY = "true"


class Signal(NamedTuple):
    """One number per span: `value` where the span takes part (CONTRACTS 2, "Who takes part"), else NULL.

    A `rate` has values 0 and 1; its mean is the share.
    """

    kind: Literal["quantiles", "rate"]
    unit: str
    value: str
    taking_part: str

    @property
    def whole(self) -> bool:
        """Whether its values are whole numbers."""
        return self.unit == "tokens"

    @property
    def sql(self) -> str:
        """An expression of type DOUBLE over the columns of `spans`."""
        return f"CASE WHEN {self.taking_part} THEN CAST({self.value} AS DOUBLE) END"


_PER_TOKEN = "CASE WHEN output_tokens >= 16 THEN (duration_s - ttft_s) / output_tokens END"  # noqa: S105

SIGNALS: dict[str, Signal] = {
    "output_tokens": Signal("quantiles", "tokens", "output_tokens", _CONTENT),
    "input_tokens": Signal("quantiles", "tokens", "input_tokens", _EVERY),
    "duration_s": Signal("quantiles", "s", "duration_s", _SUCCESS),
    "ttft_s": Signal("quantiles", "s", "ttft_s", _SUCCESS),
    "time_per_output_token_s": Signal("quantiles", "s", _PER_TOKEN, _SUCCESS),
    "cost_usd": Signal("quantiles", "USD", "cost_usd", _EVERY),
    "parse_fail": Signal("rate", "share", "NOT parse_ok", _CONTENT),
    "refusal": Signal("rate", "share", "refusal", _CONTENT),
    "finish_length": Signal("rate", "share", "finish_reason = 'length'", _CONTENT),
    "served_snapshot": Signal("rate", "share", "response_model <> model", _SUCCESS),
    "error": Signal("rate", "share", "status = 'error'", _EVERY),
}
"""Name to definition; the names are those of the API.

`served_snapshot` is unknown where a gateway does not say which model answered, and false where it names the alias.
"""

REQUESTS = "requests"
"""The one name of a series that is no value of a span: how many there are."""


class Category(NamedTuple):
    """One name per span: `value` where the span takes part, else NULL."""

    value: str
    taking_part: str

    @property
    def sql(self) -> str:
        """An expression of type VARCHAR over the columns of `spans`."""
        return f"CASE WHEN {self.taking_part} THEN {self.value} END"


CATEGORIES: dict[str, Category] = {
    "finish_reason": Category("finish_reason", _CONTENT),
    "error_class": Category("error_class", _EVERY),
    "response_model": Category("response_model", _SUCCESS),
    "system_fingerprint": Category("system_fingerprint", _SUCCESS),
    "prompt_version": Category("prompt_version", _EVERY),
    "variant": Category("variant", _EVERY),
}
"""Name to definition; the names are those of the API."""

TOTALS: dict[str, str] = {
    "all_output_tokens": "output_tokens",
    "priced_tokens": "CASE WHEN cost_usd IS NOT NULL THEN input_tokens + output_tokens END",
    "priced_cost_usd": "CASE WHEN input_tokens + output_tokens IS NOT NULL THEN cost_usd END",
}
"""Sums that no signal is, as SQL over the columns of `spans`: of every request, whether it takes part or not."""


def signal(name: str) -> Signal:
    """The signal called `name`; raises UsageError naming those there are."""
    try:
        return SIGNALS[name]
    except KeyError:
        raise UsageError(f"there is no signal {name[:64]!r}; there are {', '.join([*SIGNALS, REQUESTS])}") from None
