"""The evidence of an e-SR detector after each observation, for whoever draws it over time.

An alarm needs the evidence where it may reach the threshold only, which `esr` finds by blocks. Here every row counts:
with P the product of a block's payoffs and A the sum that starts from 0 at its first row, a block turns the M before it
into P·M + A (`blocks`). That gives the M before each block; then all go on from there, side by side, row by row.
"""

import math

import numpy as np

from undertow_detectors.arrays import FloatArray
from undertow_detectors.blocks import ROWS


def evidence(log_m: FloatArray, payoffs: FloatArray) -> FloatArray:
    """(n,) M after each row of `payoffs` (n, k), all positive; `log_m` (k,) came before them.

    No detector may start anew in between: cut the rows behind each alarm.

    >>> evidence(np.array([-np.inf]), np.array([[1.0], [2.0], [0.5]])).round(3).tolist()
    [1.0, 4.0, 2.5]
    """
    n, k = payoffs.shape
    if n == 0:
        return np.empty(0)
    rows = max(1, min(ROWS, math.isqrt(n) // 2))
    blocks = -(-n // rows)
    padded = payoffs if n == blocks * rows else np.concatenate([payoffs, np.ones((blocks * rows - n, k))])
    e = np.ascontiguousarray(padded.reshape(blocks, rows, k).transpose(1, 2, 0))
    m, found = _before(log_m, e), np.empty((rows, blocks))
    for row, of_row in enumerate(e):
        m += 1
        m *= of_row
        np.add.reduce(m, axis=0, out=found[row])
    mean: FloatArray = found.T.reshape(-1)[:n] / k
    return mean


def _before(log_m: FloatArray, e: FloatArray) -> FloatArray:
    """(k, blocks) M before each block of payoffs `e` (rows, k, blocks)."""
    product, total = np.ones(e.shape[1:]), np.zeros(e.shape[1:])
    for of_row in e:
        product *= of_row
        total += 1
        total *= of_row
    sums = np.cumsum(np.log(product), axis=1)
    after = np.log(total) - sums
    after[:, 0] = np.logaddexp(log_m, after[:, 0])
    np.logaddexp.accumulate(after, axis=1, out=after)
    before: FloatArray = np.exp(np.concatenate([log_m[:, None], (after + sums)[:, :-1]], axis=1))
    return before
