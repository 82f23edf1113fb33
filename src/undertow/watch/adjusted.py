"""How long an answer is beside what else is known of it: its lines, its lists, the user's own measures.

Answers differ a hundredfold in length, and most of that shows in their other measures too. So the length is also
watched as a multiple of what a regression on those measures expects, fitted once on the frozen baseline: a
regression-adjusted variable, which finds a change of one measure alone sooner than the measure itself does (Hawkins,
Technometrics 33, 1991). A change of all of them together is left to the measures themselves. It needs no promise of
its own: whatever the coefficients are, the multiples are ranked among those of the baseline like any other number.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from undertow.watch import custom
from undertow.watch.frame import BoolArray, FloatArray, Frame

NAME = "adjusted_output_tokens"
MIN_KNOWN = 0.95
"""A measure that fewer of the baseline's answers have is not asked."""
MIN_ROWS = 50
"""Answers for each coefficient, so that the baseline's own residuals are at most about 1 % smaller than new ones."""
MAX_MEASURES = 10
RIDGE = 1e-6
_FAR = 6.0
"""Standard deviations beyond which a measure counts no further: a square would outweigh everything there."""


@dataclass(frozen=True, slots=True, eq=False)
class Adjustment:
    """The logarithm of the length as a quadratic of the measures and of the input size, or a linear one (`degree`).

    Measures are logarithms, less their `mean` and in units of their standard deviation (`scale`).
    """

    measures: tuple[str, ...]
    degree: int
    mean: FloatArray
    scale: FloatArray
    coefficients: FloatArray

    @staticmethod
    def fit(frame: Frame) -> "Adjustment | None":
        """Least squares on the baseline's complete answers; None without measures, or with too few answers."""
        lengths = _lengths(frame)
        names = tuple(_measures(frame, ~np.isnan(lengths)))[:MAX_MEASURES]
        x = _columns(frame, names)
        rows = ~np.isnan(lengths) & ~np.isnan(x).any(axis=1)
        degree = next((d for d in (2, 1) if rows.sum() >= MIN_ROWS * _terms(x[:1], d).shape[1]), 0)
        if not names or not degree:
            return None
        mean, scale = x[rows].mean(axis=0), x[rows].std(axis=0)
        scale = np.where(scale > 0, scale, np.inf)
        terms = _terms(_standard(x[rows], mean, scale), degree)
        normal = np.einsum("ij,ik->jk", terms, terms) + RIDGE * len(terms) * np.eye(terms.shape[1])
        moments = np.einsum("ij,i->j", terms, np.log(lengths[rows]))
        coefficients = np.asarray(np.linalg.solve(normal, moments), np.float64)
        return Adjustment(names, degree, mean, scale, coefficients)

    def read(self, frame: Frame) -> FloatArray:
        """(n,) output tokens at the baseline's mean measures; NaN where the answer was cut or a measure is unknown."""
        x = _standard(_columns(frame, self.measures), self.mean, self.scale)
        at_mean = self.coefficients[0]
        expected = np.einsum("ij,j->i", _terms(x, self.degree), self.coefficients) - at_mean  # small: no threads
        adjusted: FloatArray = _lengths(frame) / np.exp(expected)
        return adjusted


def _lengths(frame: Frame) -> FloatArray:
    """Output tokens of the answers that ended by themselves; of the others the limit says how long they are."""
    whole = frame.content & (frame.output_tokens > 0) & ~(frame.finish_length == 1)
    return np.where(whole, frame.output_tokens, np.nan)


def _measures(frame: Frame, rows: BoolArray) -> Iterator[str]:
    """Names of the measures that nearly all of `rows` have, of the model's and the users' making."""
    for name in ("refusal", "tool_call_count", *sorted(filter(_is_number, frame.more))):
        if rows.any() and np.mean(~np.isnan(_measure(frame, name)[rows])) >= MIN_KNOWN:
            yield name


def _is_number(column: str) -> bool:
    found = custom.parse(column)
    return found is not None and found[0] != "categorical"


def _measure(frame: Frame, name: str) -> FloatArray:
    return frame.refusal if name == "refusal" else frame.numbers(name)


def _columns(frame: Frame, names: tuple[str, ...]) -> FloatArray:
    """(n, measures + 1) signed logarithms, as sizes and counts want; an input size that is unknown is 0."""
    x = np.stack([*(_measure(frame, name) for name in names), np.nan_to_num(frame.input_tokens)], axis=1)
    logs: FloatArray = np.copysign(np.log1p(np.abs(x)), x)
    return logs


def _standard(x: FloatArray, mean: FloatArray, scale: FloatArray) -> FloatArray:
    standard: FloatArray = np.clip((x - mean) / scale, -_FAR, _FAR)
    return standard


def _terms(x: FloatArray, degree: int) -> FloatArray:
    """(n, terms) of the regression: one, each measure, and with `degree` 2 the product of each two."""
    products = [x[:, i:] * x[:, i : i + 1] for i in range(x.shape[1])] if degree == 2 else []
    return np.concatenate([np.ones((len(x), 1)), x, *products], axis=1)
