"""Many observations of an e-SR detector at once: what a block of rows makes of the evidence that it meets.

M ← (M + 1)·e is affine in M, so a block of rows turns the M before it into P·M + A: P is the product of the payoffs
and A the sum that starts from 0 at the block's first row. Blocks do not need each other to find P and A; they are gone
through side by side, first row of all, second row of all. Joining them, with S the running sum of log P,

    log M_b = S_b + log(M_0 + Σ_{j≤b} A_j·exp(−S_j)).

A block of one row is P = A = e, so the same formula goes row by row.
"""

from dataclasses import dataclass

import numpy as np

from undertow_detectors.arrays import FloatArray, IntArray

ROWS = 64
"""A block is so long that payoffs from 0.0001 to 10,000 cannot leave the range of a float."""


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """Blocks of equal length, one after the other, and k bets; logarithms, (blocks, k) each.

    `steps` are the payoffs row by row, (rows, blocks, k), first rows of all blocks first. `product` is P and `total` A
    at the end of a block; `lowest`, `highest` and `highest_total` are their extremes over its rows.
    """

    payoffs: FloatArray
    steps: FloatArray
    product: FloatArray
    lowest: FloatArray
    highest: FloatArray
    total: FloatArray
    highest_total: FloatArray

    @classmethod
    def of(cls, payoffs: FloatArray, rows: int) -> "Blocks":
        """Cut `payoffs` (n, k), all positive, into blocks of so many rows; what is left over is left out."""
        n, k = payoffs.shape
        payoffs = payoffs[: n // rows * rows].reshape(n // rows, rows, k)
        product, highest = np.ones((n // rows, k)), np.zeros((n // rows, k))
        lowest, total, highest_total = np.full_like(highest, np.inf), np.zeros_like(highest), np.zeros_like(highest)
        steps = np.ascontiguousarray(payoffs.swapaxes(0, 1))
        for e in steps:
            product *= e
            total += 1
            total *= e
            np.minimum(lowest, product, out=lowest)
            np.maximum(highest, product, out=highest)
            np.maximum(highest_total, total, out=highest_total)
        return cls(payoffs, steps, *map(np.log, (product, lowest, highest, total, highest_total)))

    def __len__(self) -> int:
        return len(self.product)

    @property
    def rows(self) -> int:
        """Rows of one block."""
        return int(self.payoffs.shape[1])

    def evidence(self, log_m: FloatArray) -> tuple[FloatArray, FloatArray]:
        """log M after each block, and a bound that it does not exceed inside; `log_m` (k,) came before the first.

        The bound is exact when a block is a row.
        """
        sums = np.cumsum(self.product, axis=0)
        after = self.total - sums
        after[0] = np.logaddexp(log_m, after[0])
        np.logaddexp.accumulate(after, axis=0, out=after)
        after += sums
        before = np.concatenate([log_m[None], after[:-1]])
        return after, np.logaddexp(self.highest + before, self.highest_total)

    def trail(self, log_m: FloatArray, after: FloatArray, n: int) -> FloatArray:
        """The mean M over the bets after each row of the first `n` blocks; `after` came out of `evidence(log_m)`."""
        before = np.exp(np.concatenate([log_m[None], after])[:n])
        m = np.empty((self.rows, *before.shape))
        for e, now in zip(self.steps[:, :n], m, strict=True):
            np.add(before, 1, out=now)
            now *= e
            before = now
        mean: FloatArray = m @ np.full(m.shape[2], 1 / m.shape[2])
        return mean.T.reshape(-1)

    def walk(self, n: int) -> tuple[FloatArray, FloatArray, IntArray]:
        """Running sum of log payoffs over the first `n` blocks: its end, its lowest value, and the last row of that."""
        sums = np.cumsum(self.product[:n], axis=0)
        lows = sums - self.product[:n] + self.lowest[:n]
        block = n - 1 - np.argmin(lows[::-1], axis=0)
        products = np.cumprod(self.payoffs[block, :, np.arange(len(block))], axis=1)
        row = self.rows - 1 - np.argmin(products[:, ::-1], axis=1)
        return sums[-1], lows.min(axis=0), block * self.rows + row
