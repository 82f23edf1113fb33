"""What a series can show, as SQL over the span columns. Rollups and queries both follow this table."""

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


def signal(name: str) -> Signal:
    """The signal called `name`; raises UsageError naming those there are."""
    try:
        return SIGNALS[name]
    except KeyError:
        raise UsageError(f"there is no signal {name[:64]!r}; there are {', '.join(SIGNALS)}") from None
