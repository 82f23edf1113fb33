"""The evidence of an e-SR detector after each observation, for whoever draws it over time.

An alarm needs the evidence where it may reach the threshold only, which `esr` finds by blocks. Here every row counts:
with P the running product of a block's payoffs and A the sum that starts from 0 at its first row (`blocks`), the
evidence after a row is P·M + A, M being that before the block. Blocks are gone through side by side.
"""

import math

import numpy as np

from undertow_detectors.arrays import FloatArray
from undertow_detectors.blocks import ROWS


def evidence(log_m: FloatArray, payoffs: FloatArray) -> FloatArray:
    """(n,) natural logarithm of M after each row of `payoffs` (n, k), all positive; `log_m` (k,) came before them.

    No detector may start anew in between: cut the rows behind each alarm.

    >>> evidence(np.array([-np.inf]), np.array([[1.0], [2.0], [0.5]])).round(3).tolist()
    [0.0, 1.386, 0.916]
    """
    n, k = payoffs.shape
    if n == 0:
        return np.empty(0)
    rows = max(1, min(ROWS, math.isqrt(n) // 2))
    blocks = -(-n // rows)
    e = np.ones((blocks * rows, k))
    e[:n] = payoffs
    e = np.ascontiguousarray(e.reshape(blocks, rows, k).swapaxes(0, 1))
    product, total = np.empty_like(e), np.empty_like(e)
    product[0], total[0] = e[0], e[0]
    for row in range(1, rows):
        np.multiply(product[row - 1], e[row], out=product[row])
        np.add(total[row - 1], 1, out=total[row])
        total[row] *= e[row]
    before = np.exp(_joined(log_m, np.log(product[-1]), np.log(total[-1])))
    m = np.einsum("rbk,bk->rb", product, before) + total.sum(axis=-1)
    logs: FloatArray = np.log(m.T.reshape(-1)[:n] / k)
    return logs


def _joined(log_m: FloatArray, product: FloatArray, total: FloatArray) -> FloatArray:
    """(blocks, k) log M before each block, of the logarithms of its P and A."""
    sums = np.cumsum(product, axis=0)
    after = total - sums
    after[0] = np.logaddexp(log_m, after[0])
    np.logaddexp.accumulate(after, axis=0, out=after)
    return np.concatenate([log_m[None], (after + sums)[:-1]])
