"""Which spans came too late to be judged (CONTRACTS 2, "Order"). Arithmetic only."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Horizon(NamedTuple):
    """What decides lateness before a batch, all in Unix seconds of event time except `lateness_s`.

    `newest` is the running maximum of what was committed, `floor` the time up to which spans were handed to the
    detectors, `future` the time after which an event time is not believed.
    """

    lateness_s: float
    newest: float = -math.inf
    floor: float = -math.inf
    future: float = math.inf


def judge(ended_at: NDArray[np.float64], before: Horizon) -> tuple[NDArray[np.bool_], float]:
    """Late flags, shape (n,), of event times (n,) in arrival order, and the newest event time after them.

    Each span is compared with the maximum over everything that arrived before it, so that it does not matter how
    arrivals were cut into batches. A span from the future is late and moves nothing.
    """
    future = ended_at > before.future
    running = np.maximum.accumulate(np.concatenate(([before.newest], np.where(future, -np.inf, ended_at))))
    late = future | (ended_at <= np.maximum(running[:-1] - before.lateness_s, before.floor))
    return late, float(running[-1])
