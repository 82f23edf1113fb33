"""Strata: like is compared with like, so that a change of the questions is not read as a change of the answers.

A stratum is an operation and route with one quantile bin of the input size (reference: conditioning by
route x input tokens cuts mix-shift alarms from about 90 % to 10-30 %). Bins are as fine as `min_rows` allows.
"""

from dataclasses import dataclass

import numpy as np

from undertow.watch.frame import FloatArray, IntArray, Names

MAX_BINS = 8


@dataclass(frozen=True, slots=True, eq=False)
class Strata:
    """A partition learned from a baseline.

    `groups` maps operation and route to a group number, several small routes sharing one; `edges[g]` holds the inner
    bin edges of group g in input tokens; `first[g]` is the number of its first stratum.
    """

    groups: dict[str, int]
    edges: list[FloatArray]
    first: IntArray

    @property
    def count(self) -> int:
        """Number of strata."""
        return int(sum(len(e) + 1 for e in self.edges))

    def assign(self, group: Names, input_tokens: FloatArray) -> IntArray:
        """(n,) stratum of each span, -1 for an operation or route that the baseline did not know."""
        member = group.recode(self.groups)
        stratum = np.full(len(member), -1, np.int64)
        for g, edges in enumerate(self.edges):
            rows = member == g
            stratum[rows] = self.first[g] + np.searchsorted(edges, input_tokens[rows], side="right")
        return stratum


def aspects(group: Names) -> list[Names]:
    """What groups are made of: operation and route and, in a pool, whose they are (its names begin as no other do)."""
    parts = [value.split("\x1f", 2) for value in group.values]
    if not any(len(of) > 2 for of in parts):
        return [group]
    routes, owners = tuple("\x1f".join(of[:2]) for of in parts), tuple(f"\x1f\x1f{of[-1]}" for of in parts)
    return [Names.concat([Names(group.codes, routes)]), Names.concat([Names(group.codes, owners)])]


def fit(group: Names, input_tokens: FloatArray, min_rows: int) -> Strata:
    """Strata of at least `min_rows` values each; operations with fewer in all are left out."""
    groups = _pool(group, min_rows)
    member = group.recode(groups)
    edges = [_edges(input_tokens[member == g], min_rows) for g in range(max(groups.values(), default=-1) + 1)]
    first = np.cumsum([0] + [len(e) + 1 for e in edges])[:-1].astype(np.int64)
    return Strata(groups, edges, first)


def _pool(group: Names, min_rows: int) -> dict[str, int]:
    """Number the routes that are large enough alone; the small ones of one operation share a group.

    In a pool a route is that of a member; small ones of one route are put together first.
    """
    sizes = dict(
        zip(group.values, np.bincount(group.codes[group.codes >= 0], minlength=len(group.values)), strict=True)
    )
    numbered: dict[str, int] = {}
    total = 0
    for operation in sorted({name.split("\x1f")[0] for name in group.values}):
        routes = _routes({name: int(n) for name, n in sizes.items() if name.split("\x1f")[0] == operation}, min_rows)
        pool: list[str] = []
        pooled = 0
        while routes and (routes[0][0] < min_rows or 0 < pooled < min_rows):
            n, names = routes.pop(0)
            pool += names
            pooled += n
        if pooled >= min_rows:
            numbered |= dict.fromkeys(pool, total)
            total += 1
        for _, names in routes:
            numbered |= dict.fromkeys(names, total)
            total += 1
    return numbered


def _routes(sizes: dict[str, int], min_rows: int) -> list[tuple[int, list[str]]]:
    """Sizes and names, smallest first: the small ones of one route together, any other alone."""
    together: dict[str, list[str]] = {}
    for name, n in sorted(sizes.items()):
        if n:
            together.setdefault(name if n >= min_rows else "\x1f".join(name.split("\x1f")[:2]), []).append(name)
    return sorted((sum(sizes[name] for name in names), names) for names in together.values())


def _edges(values: FloatArray, min_rows: int) -> FloatArray:
    known = values[~np.isnan(values)]
    bins = min(MAX_BINS, len(known) // min_rows)
    if bins < 2:
        return np.empty(0)
    return np.unique(np.quantile(known, np.arange(1, bins) / bins))
