"""What is watched: targets, pools of quiet siblings, and gateways whose failures name none of their targets."""

from collections.abc import Iterable
from typing import Any

from undertow.span import Target
from undertow.watch.pool import Pool, is_gateway, members
from undertow.watch.target import TargetWatch


class Watched:
    """The watch of each."""

    def __init__(self) -> None:
        self.targets: dict[Target, TargetWatch] = {}
        self.pools: dict[Pool, TargetWatch] = {}
        self.gateways: dict[Target, TargetWatch] = {}

    def every(self) -> dict[Target, TargetWatch]:
        """Return all, each of which has a share of the budget."""
        return dict([*self.targets.items(), *self.pools.items(), *self.gateways.items()])

    def get(self, target: Target) -> TargetWatch | None:
        """Return the watch of one, None where it is not watched."""
        return self._alike(target).get(target)

    def __getitem__(self, target: Target) -> TargetWatch:
        watch: TargetWatch = self._alike(target)[target]
        return watch

    def __setitem__(self, target: Target, watch: TargetWatch) -> None:
        self._alike(target)[target] = watch

    def pooled(self) -> set[Target]:
        """Return the targets that are in a pool."""
        return {member for pool in self.pools for member in pool.members}

    def pools_of(self, targets: Iterable[Target]) -> list[Pool]:
        """Return the pools that some of the `targets` are in."""
        some = set(targets)
        return [pool for pool in self.pools if not some.isdisjoint(pool.members)]

    def rates(self, targets: Iterable[Target]) -> dict[Target, float]:
        """Return the spans a day of each target by its baseline, or by that of its pool; 0 where neither is known."""
        found = dict.fromkeys((t for t in targets if self._alike(t) is self.targets), 0.0)
        for watch in (*self.pools.values(), *self.targets.values()):
            if watch.baseline is not None:
                share = watch.baseline.spans / watch.baseline.days / len(members(watch.target))
                found |= {member: share for member in members(watch.target) if member in found}
        return found

    def _alike(self, target: Target) -> dict[Any, TargetWatch]:
        if isinstance(target, Pool):
            return self.pools
        return self.gateways if is_gateway(target) else self.targets
