"""What a stream bets on: the ranks of a number, the rate of an event, or the rate of each class against the rest."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from undertow.watch.frame import BoolArray, FloatArray, IntArray
from undertow.watch.recovery import Recovery
from undertow_detectors import effect, esr, pit, rates
from undertow_detectors.pit import SeedArray

UNSETTLED_RANK = 0.03
UNSETTLED_ODDS = 1.3
"""After the traffic moved, mean rank or odds must change by more than this, for prompts inside a stratum moved too.
Calibrated: on 32 streams with shifted traffic 10 content alarms became 1; 8 of 8 swaps beside a shift were found."""
MAX_CLASSES = 8
NEVER_SEEN = "never seen before"
_CERTAIN = 1e-6


class Head(Protocol):
    """One thing that can change: `subject` names it, `directions` (k,) what each of its bets is on."""

    @property
    def subject(self) -> str:
        """Name of the signal, with the class where it has classes."""

    @property
    def directions(self) -> Sequence[str]:
        """`up`, `down` or `spread`, one a bet."""

    def payoffs(self, x: FloatArray, stratum: IntArray, seeds: SeedArray, unsettled: BoolArray, /) -> FloatArray:
        """(n, k) payoffs of the bets on each value; more careful where `unsettled`."""

    def plain_bets(self, x: FloatArray, stratum: IntArray, seeds: SeedArray, /) -> FloatArray:
        """Logarithms of bets without slack and tolerance, for when it is known that something changed."""

    def moves(self, x: FloatArray, stratum: IntArray, seeds: SeedArray, direction: str, /) -> FloatArray:
        """(n,) how far each value is off the reference: in rank, or in rate."""

    def returning(self, bet: int) -> Recovery:
        """Watch for the return of what bet number `bet` won on; its size is that for which this bet wins the most."""

    def off(self, x: FloatArray, stratum: IntArray, seeds: SeedArray, direction: str, /) -> FloatArray:
        """(n,) `moves` in -1 to 1, positive in the direction."""

    def back(
        self, x: FloatArray, stratum: IntArray, seeds: SeedArray, direction: str, size: FloatArray, /
    ) -> FloatArray:
        """(n, k) payoffs of bets that less than half of a change of `size` (n,), in units of `off`, is still there."""

    def change(
        self, before: FloatArray, before_strata: IntArray, after: FloatArray, after_strata: IntArray
    ) -> effect.Effect | None:
        """How large the change is, standardised to the strata of the later values."""


@dataclass(frozen=True, slots=True)
class Number:
    """Ranks among the reference of the same stratum."""

    subject: str
    reference: pit.NumericReference
    tolerance: float
    strata_in_runs: bool
    directions: Sequence[str] = esr.DIRECTIONS_NUMERIC

    def payoffs(self, x: FloatArray, stratum: IntArray, seeds: SeedArray, unsettled: BoolArray) -> FloatArray:
        """(n, 12) bets on larger, smaller and more spread out, or (n, 4) on larger alone."""
        u, give = pit.uniforms(seeds, self.subject), UNSETTLED_RANK * unsettled
        plus, minus = pit.one_sided_ranks(
            self.reference, x, stratum, u, self.tolerance, strata_in_runs=self.strata_in_runs
        )
        up_only = len(self.directions) == len(esr.STAKES)
        return esr.numeric_payoffs(np.maximum(0.0, plus - give), np.minimum(1.0, minus + give), up_only)

    def plain_bets(self, x: FloatArray, stratum: IntArray, seeds: SeedArray) -> FloatArray:
        """The bets without slack."""
        u = pit.uniforms(seeds, self.subject)
        bets = esr.numeric_log_bets(*pit.one_sided_ranks(self.reference, x, stratum, u, slack_sigmas=0))
        return bets[:, : len(self.directions)]

    def moves(self, x: FloatArray, stratum: IntArray, seeds: SeedArray, direction: str) -> FloatArray:
        """Rank less its mean; of `spread`, distance from the middle less its mean."""
        u = pit.uniforms(seeds, self.subject)
        rank, _ = pit.one_sided_ranks(self.reference, x, stratum, u, slack_sigmas=0)
        return np.abs(rank - 0.5) - 0.25 if direction == "spread" else rank - 0.5

    def returning(self, bet: int) -> Recovery:
        """A stake λ on a fair uniform rank is best where the mean is λ/3 off (Kelly's criterion)."""
        size = esr.STAKES[bet % len(esr.STAKES)] / 3
        return Recovery(self.directions[bet], size, esr.State.start(len(esr.STAKES)))

    def off(self, x: FloatArray, stratum: IntArray, seeds: SeedArray, direction: str) -> FloatArray:
        """A rank is up to 1/2 off its mean, its distance from the middle up to 1/4."""
        return {"up": 2, "down": -2, "spread": 4}[direction] * self.moves(x, stratum, seeds, direction)

    def back(self, x: FloatArray, stratum: IntArray, seeds: SeedArray, direction: str, size: FloatArray) -> FloatArray:
        """e = 1 + λ·(size/2 − y)."""
        return 1 + np.multiply.outer(size / 2 - self.off(x, stratum, seeds, direction), esr.STAKES)

    def change(
        self, before: FloatArray, before_strata: IntArray, after: FloatArray, after_strata: IntArray
    ) -> effect.Effect | None:
        """Ratio of means."""
        return effect.ratio(before, before_strata, after, after_strata)


@dataclass(frozen=True, slots=True)
class Rate:
    """How often a value is `code`, against the bounds that the reference gives."""

    subject: str
    code: int
    reference: rates.RateReference
    directions: Sequence[str]

    def payoffs(self, x: FloatArray, stratum: IntArray, _: SeedArray, unsettled: BoolArray) -> FloatArray:
        """(n, 7) bets on more and less often, or (n, 4) on more often alone."""
        odds = np.where(unsettled, UNSETTLED_ODDS, 1.0)
        upper, lower = self.reference.upper[stratum], self.reference.lower[stratum]
        bets = esr.binary_payoffs(x == self.code, rates.scale_odds(upper, odds), rates.scale_odds(lower, 1 / odds))
        return bets[:, : len(self.directions)]

    def plain_bets(self, x: FloatArray, stratum: IntArray, _: SeedArray) -> FloatArray:
        """The bets without slack."""
        rate = np.maximum(self.reference.rate, 0.5 / (self.reference.counts.sum() + 1))[stratum]
        return esr.binary_log_bets(x == self.code, rate, rate)[:, : len(self.directions)]

    def moves(self, x: FloatArray, stratum: IntArray, _: SeedArray, __: str) -> FloatArray:
        """Outcome less rate."""
        off: FloatArray = (x == self.code) - self.reference.rate[stratum]
        return off

    def returning(self, bet: int) -> Recovery:
        """The size is what the odds of the bet make of the rate."""
        rate, odds = np.nanmean(self.reference.rate, keepdims=True), (*esr.ODDS_UP, *esr.ODDS_DOWN)[bet]
        size = abs(float((rates.scale_odds(rate, odds) - rate)[0]))
        back = esr.ODDS_UP if self.directions[bet] == "down" else esr.ODDS_DOWN
        return Recovery(self.directions[bet], size, esr.State.start(len(back)))

    def off(self, x: FloatArray, stratum: IntArray, _: SeedArray, direction: str) -> FloatArray:
        """An outcome is up to 1 off its rate."""
        return (-1 if direction == "down" else 1) * self.moves(x, stratum, _, direction)

    def back(self, x: FloatArray, stratum: IntArray, _: SeedArray, direction: str, size: FloatArray) -> FloatArray:
        """Likelihood ratios against a rate in the middle between that of the reference and that of the change."""
        half = self.reference.rate[stratum] + (-0.5 if direction == "down" else 0.5) * size
        bound = np.clip(half, _CERTAIN, 1 - _CERTAIN)
        payoffs = esr.binary_payoffs(x == self.code, bound, bound)
        ups = len(esr.ODDS_UP)
        return payoffs[:, :ups] if direction == "down" else payoffs[:, ups:]

    def change(
        self, before: FloatArray, before_strata: IntArray, after: FloatArray, after_strata: IntArray
    ) -> effect.Effect | None:
        """Difference of rates."""
        return effect.rate_difference(before == self.code, before_strata, after == self.code, after_strata)


def rate_head(
    subject: str, code: int, x: BoolArray, strata: IntArray, n_strata: int, tolerance: float, rising_only: bool
) -> Rate:
    """A head for outcomes `x` (n,) of the reference."""
    reference = rates.RateReference.fit(x, strata, n_strata, tolerance=tolerance)
    return Rate(subject, code, reference, esr.DIRECTIONS_BINARY[: 4 if rising_only else None])


def class_heads(
    name: str, values: Sequence[str], codes: FloatArray, strata: IntArray, n_strata: int, tolerance: float,
    rising_only: bool, apart: frozenset[str],
) -> tuple[Rate, ...]:  # fmt: skip
    """A head for each of the most frequent classes, and one for values never seen before (code -1).

    The most frequent class of all is what the others are not, so it has none, unless another is set `apart` as that and
    rises alone count. The rate of the unseen is bounded by that
    of the values seen once (Good, Biometrika 40, 1953: their share estimates the chance that the next one is new).
    """
    counts = np.bincount(codes.astype(np.int64), minlength=len(values))
    ordered = sorted(range(len(values)), key=lambda c: (-counts[c], values[c]))[: MAX_CLASSES + 1]
    told_apart = rising_only and not apart.isdisjoint(values)
    order = [c for place, c in enumerate(ordered) if place or (told_apart and counts[c] < len(codes))]
    heads = [
        rate_head(f"{name}={values[c]}", c, codes == c, strata, n_strata, tolerance, rising_only)
        for c in order if values[c] not in apart
    ]  # fmt: skip
    once = (counts == 1)[codes.astype(np.int64)]
    return (*heads, rate_head(f"{name}={NEVER_SEEN}", -1, once, strata, n_strata, tolerance, rising_only=True))
