"""The signals that are watched: what each span says about them, who takes part, and what is compared with what.

A signal is numeric, binary, or categorical: then each class is watched against the rest, and so is what was never seen.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from undertow.watch import adjusted, custom
from undertow.watch.events import Lane
from undertow.watch.frame import BoolArray, FloatArray, Frame, Names
from undertow.watch.performance import MIN_TOKENS, by_output, by_time_of_day

MAX_CUSTOM = 64
PRICE_TOLERANCE = 0.05
"""Price per token moves a little with the share of output inside a stratum; a new price list moves it more."""

Conditions = Callable[[Frame], tuple[Names, FloatArray]]
"""What strata are made of: groups, and a size that is cut into bins inside each (NaN: not cut)."""


def by_question(frame: Frame) -> tuple[Names, FloatArray]:
    """Operation and route, and the size of the prompt."""
    return frame.group, frame.input_tokens


def by_route(frame: Frame) -> tuple[Names, FloatArray]:
    """Operation and route alone: a failed attempt often has no sizes."""
    return frame.group, np.full(len(frame), np.nan)


def by_output_share(frame: Frame) -> tuple[Names, FloatArray]:
    """Operation and route, and how much of the tokens was output, which has a price of its own."""
    return frame.group, frame.output_tokens / (frame.input_tokens + frame.output_tokens)


@dataclass(frozen=True, slots=True)
class Signal:
    """What is measured on each span, NaN or code -1 where it is unknown.

    `takes_part` says which spans count, `conditions` what they are compared within. Changes within `tolerance` are
    none; `rising_only` bets on increases alone. `apart` names classes that are a signal of their own.
    """

    name: str
    lane: Lane
    kind: Literal["numeric", "binary", "categorical"]
    read: Callable[[Frame], FloatArray | Names]
    takes_part: Callable[[Frame], BoolArray] = lambda frame: frame.content
    conditions: Conditions = by_question
    tolerance: float = 0.0
    rising_only: bool = False
    apart: frozenset[str] = frozenset()


def number(name: str) -> Callable[[Frame], FloatArray]:
    """Reads an optional column of numbers."""
    return lambda frame: frame.numbers(name)


def text(name: str) -> Callable[[Frame], Names]:
    """Reads an optional column of text."""
    return lambda frame: frame.names(name)


def _streamed(frame: Frame) -> BoolArray:
    return frame.ok & ~np.isnan(frame.numbers("ttft_s"))


def _token_time(frame: Frame) -> FloatArray:
    tokens = np.where(frame.output_tokens >= MIN_TOKENS, frame.output_tokens, np.nan)
    return (frame.numbers("duration_s") - frame.numbers("ttft_s")) / tokens


def _chars(frame: Frame) -> FloatArray:
    """The length of an answer where its tokens were not counted."""
    return np.where(np.isnan(frame.output_tokens), frame.numbers("response_chars"), np.nan)


def _chars_per_token(frame: Frame) -> FloatArray:
    """Of answers long enough that their last token does not matter; another tokeniser shows here."""
    tokens = np.where(frame.output_tokens >= MIN_TOKENS, frame.output_tokens, np.nan)
    return frame.numbers("response_chars") / tokens


def _price(frame: Frame) -> FloatArray:
    """Of what the log itself called the cost: one computed from list prices moves with the list, not the provider."""
    tokens = frame.input_tokens + np.nan_to_num(frame.output_tokens)
    known = (tokens > 0) & (frame.numbers("cost_derived") != 1)
    return frame.numbers("cost_usd") / np.where(known, tokens, np.nan)


CONTENT = (
    Signal("output_tokens", "content", "numeric", lambda f: f.output_tokens),
    Signal("parse_fail", "content", "binary", lambda f: 1 - f.parse_ok),
    Signal("refusal", "content", "binary", lambda f: f.refusal),
    Signal("finish_length", "content", "binary", lambda f: f.finish_length),
)
"""What nearly every log has; listed for each target, with or without values."""

OPTIONAL = (
    Signal("finish_reason", "content", "categorical", text("finish_reason"), apart=frozenset({"length"})),
    Signal("schema_fingerprint", "content", "categorical", text("schema_fingerprint")),
    Signal("response_chars", "content", "numeric", _chars),
    Signal("chars_per_token", "content", "numeric", _chars_per_token),
    Signal("task_fail", "content", "binary", lambda f: 1 - f.numbers("task_success")),
    Signal("score", "content", "numeric", number("score")),
    Signal("confidence", "content", "numeric", number("confidence")),
    Signal("tool_call_count", "content", "numeric", number("tool_call_count")),
    Signal("reasoning_tokens", "content", "numeric", number("reasoning_tokens")),
    Signal("ttft_s", "performance", "numeric", number("ttft_s"), _streamed, by_time_of_day, rising_only=True),
    Signal(
        "time_per_output_token_s", "performance", "numeric", _token_time, _streamed, by_time_of_day, rising_only=True
    ),
    Signal(
        "duration_s", "performance", "numeric", number("duration_s"), lambda f: f.ok & ~_streamed(f), by_output,
        rising_only=True,
    ),
    Signal(
        "error_class", "errors", "categorical", text("outcome"), lambda f: np.ones(len(f), bool), by_route,
        rising_only=True, apart=frozenset({"ok"}),
    ),
    Signal(
        "price_per_token", "cost", "numeric", _price, lambda f: f.ok, by_output_share, tolerance=PRICE_TOLERANCE
    ),
)  # fmt: skip
"""Watched where the baseline has values of it."""


def of(baseline: Frame) -> tuple[Signal, ...]:
    """The signals of a target: the built-in ones, and those that the users sent with its baseline.

    A user's signal is of the kind that most of its values have, and yields its name to a built-in one.
    """
    counts: Counter[tuple[str, custom.Kind]] = Counter()
    for column, values in baseline.more.items():
        if found := custom.parse(column):
            unknown = values.codes < 0 if isinstance(values, Names) else np.isnan(values)
            kind, name = found
            counts[name, kind] += int(np.sum(~unknown))
    taken = {signal.name for signal in (*CONTENT, *OPTIONAL)}
    made: list[Signal] = []
    for (name, kind), _ in sorted(counts.items(), key=lambda one: (-one[1], one[0])):
        if name not in taken and len(made) < MAX_CUSTOM:
            taken.add(name)
            made.append(_custom(name, kind))
    return (*CONTENT, *_adjusted(baseline), *OPTIONAL, *made)


def _adjusted(baseline: Frame) -> tuple[Signal, ...]:
    """The length beside the other measures of an answer, where there are any."""
    fitted = adjusted.Adjustment.fit(baseline)
    return (Signal(adjusted.NAME, "content", "numeric", fitted.read),) if fitted else ()


def _custom(name: str, kind: custom.Kind) -> Signal:
    column = custom.key(kind, name)
    return Signal(name, "content", kind, text(column) if kind == "categorical" else number(column))
