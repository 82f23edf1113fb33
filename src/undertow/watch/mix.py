"""Which answers of a pool can be compared with its baseline, while its members are asked otherwise than then.

A pool may answer as before only because the members that changed are asked less, as after we lowered their weights. So
what speaks for a recovery is counted in the shares that the members had in the baseline: of each member as much as the
one that is heard least for its share allows. Where that one is not heard any more, nothing can be said of it. Which
answers count follows from who gave them alone, never from what they are, so the bets on them stay fair.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from undertow.watch.frame import FloatArray

SLACK = 10.0
"""So many answers of each member are taken as heard from the start, so that a rare one does not hold up the others."""


@dataclass(frozen=True, slots=True)
class Heard:
    """How many answers of each member came since a change, and how many of them were `counted`."""

    came: Mapping[str, int] = field(default_factory=dict)
    counted: Mapping[str, float] = field(default_factory=dict)


NOBODY = Heard()


def comparable(shares: Mapping[str, float], heard: Heard, members: Sequence[str]) -> tuple[Heard, FloatArray]:
    """How much each of the next answers counts, (n,) in 0 to 1; `members` (n,) gave them, `shares` are the baseline's.

    One after the other, so that it is the same to the last bit wherever they are cut.
    """
    came = {member: heard.came.get(member, 0) for member in shares}
    counted = {member: heard.counted.get(member, 0.0) for member in shares}
    weights = np.zeros(len(members))
    for i, member in enumerate(members):
        if member not in shares:
            continue
        came[member] += 1
        whole = min((came[one] + SLACK) / share for one, share in shares.items())
        weights[i] = min(1.0, max(0.0, shares[member] * whole - counted[member]))
        counted[member] += float(weights[i])
    return Heard(came, counted), weights
