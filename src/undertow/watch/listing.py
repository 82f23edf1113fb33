"""What `GET /v1/targets` tells of each target: what was seen of it, and how it stands."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from undertow.span import Target
from undertow.watch.describe import describe, silent
from undertow.watch.document import Document
from undertow.watch.engine import Engine
from undertow.watch.pool import members, subject
from undertow.watch.readiness import ready_at


def listed(engine: Engine, rows: Iterable[Document], changes: Mapping[Target, float], now: float) -> Iterator[Document]:
    """The `rows` of what was seen with the state of each; `changes` says when each target last changed."""
    standing: dict[Target, list[Document]] = {}
    for document in engine.incidents.standing.values():
        for member in members(subject(document)):
            standing.setdefault(member, []).append(document)
    pools = {member: pool for pool in engine.pools for member in pool.members}
    for row in rows:
        target = Target(**row["target"])
        pool = engine.pools[pools[target]] if target in pools else None
        watch, waited = engine.targets.get(target), engine.routing.waited(target, row["last"], now)
        more = {
            "ready_at": ready_at(watch, now, waited),
            "last_change": changes.get(target),
            "stale_since": row["last"] if watch and silent(watch, waited) else None,
            "multiplier": engine.routing.multiplier(target),
        }
        state = describe(watch, standing.get(target, []), engine.fleet, waited, pool, row["names"])
        yield row | state | engine.unnamed.told(target) | more


def silences(engine: Engine, rows: Sequence[Document], now: float) -> Iterator[tuple[Document, float, bool]]:
    """Each target of `rows` that has a baseline, when it was last heard, and whether it is silent since."""
    for row in rows:
        target = Target(**row["target"])
        watch = engine.targets.get(target)
        if watch and watch.baseline:
            yield row["target"], row["last"], silent(watch, engine.routing.waited(target, row["last"], now))
