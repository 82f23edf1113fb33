"""Whose the rows of a pool are, as its routes tell (`strata.aspects`), and how unlike each other the owners are."""

from collections import Counter

import numpy as np

from undertow.watch.frame import FloatArray, Names
from undertow.watch.strata import aspects

LEVEL_ROWS = 10
"""A member of a pool is thought to be as its siblings are until it has many more values than these."""


def members(group: Names) -> list[str]:
    """(n,) whose each row of a pool is."""
    owner = aspects(group)[-1]
    return [owner.values[code] for code in owner.codes]


def shares(group: Names) -> dict[str, float]:
    """How much of the rows each owner has; nothing where there are no owners."""
    if len(aspects(group)) == 1 or not len(group.codes):
        return {}
    counts = Counter(members(group))
    return {owner: n / len(group.codes) for owner, n in sorted(counts.items())}


def levels(group: Names, x: FloatArray) -> dict[str, float]:
    """How much larger the values of each owner are than usual on its routes; nothing where there are no owners."""
    route, *owner = aspects(group)
    if not owner or not len(x) or np.mean(x) <= 0:
        return {}
    n = len(route.values)
    usual = np.bincount(route.codes, x, n) / np.maximum(1, np.bincount(route.codes, minlength=n))
    given = LEVEL_ROWS * float(np.mean(x))
    sums, expected = (np.bincount(owner[0].codes, of, len(owner[0].values)) for of in (x, usual[route.codes]))
    return dict(zip(owner[0].values, ((sums + given) / (expected + given)).tolist(), strict=True))


def each(group: Names, known: dict[str, float]) -> FloatArray:
    """(n,) what is `known` of the owner of each row, 1 where nothing is."""
    owner = aspects(group)[-1]
    return np.array([*(known.get(name, 1.0) for name in owner.values), 1.0])[owner.codes]
