"""Which names are targets of their own, and which are watched together because there is no end of them.

A request id in the model's name makes a new target of every span. A name becomes a target at its first span, as long as
fewer than `detect.max_targets` are there and fewer than YOUNG of them have not gathered GROWN spans. Any other name is
*overflow*: its spans are judged with those of all such names of its gateway and provider, as one target whose model is
called `(other)`; the store keeps them under their own names. A name of which GROWN spans came all the same, among the
last COUNTED such names, becomes a target then, where `detect.max_targets` allows it. Where it does not, a target that
was not heard for GONE_S gives up its place. All of it follows from the order of the spans alone.
"""

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from undertow.span import Target
from undertow.store.crowd import OTHER, Others
from undertow.watch.events import Event
from undertow.watch.frame import FloatArray, IntArray
from undertow.watch.shares import GROWN

YOUNG = 200
"""So many targets may have fewer than GROWN spans at once: a fleet that starts has that many, ids have no end."""
COUNTED = 1000
"""Overflowing names that are counted; a name is found that brings one in so many of their spans, or more."""
BUCKETS = 20
"""Pairs of gateway and provider whose overflow is watched apart; that of all others is one."""
NOTICED = 50
"""Names that overflow before the first GROWN spans of each, before somebody is told: a large fleet settles by then."""
GONE_S = 30 * 86_400.0
AGAIN_S = 7 * 86_400.0
FIELDS = ("model", "deployment", "provider", "gateway")
LONGEST = 80

Reason = Literal["limit", "young"]
Leaves = Callable[[Target], bool]
"""Whether a target may give up its place; one with an open incident may not."""


def is_bucket(target: Target) -> bool:
    """Whether `target` stands for names that are not watched by themselves."""
    return target.model == OTHER


@dataclass
class Placed:
    """Where the spans of a batch belong: the place (n,) of each one's target among `targets`.

    `before` says of targets that begin with this batch how many spans came before; `left` gave up their places; and
    `events` are notices, each with its bucket.
    """

    targets: list[Target]
    places: IntArray
    before: dict[Target, int] = field(default_factory=dict)
    left: list[Target] = field(default_factory=list)
    events: list[tuple[Target, Event]] = field(default_factory=list)


class Roster:
    """The targets there are. `heard` is when each was heard last, in Unix seconds of event time."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.heard: dict[Target, float] = {}
        self.buckets: dict[Target, None] = {}
        self._young: dict[Target, int] = {}
        self._since: dict[Target, float] = {}
        self._counts: dict[Target, int] = {}
        self._noticed: dict[str, float] = {}
        self._changed = False
        self._others: Others | None = None

    # ------------------------------------------------------------------- what is judged

    def place(self, names: Sequence[Target], codes: IntArray, at: FloatArray, leaves: Leaves) -> Placed:
        """Find the target of each span of a batch, of which `codes` (n,) say the name and `at` (n,) the time."""
        placed = Placed([*names], codes)
        last = _last(codes, at, len(names))
        unsure = np.array([is_bucket(n) or n in self._young or n not in self.heard for n in names], bool)
        if unsure.any():
            placed.places = codes.copy()
            going = _Going(self, names, codes, at, leaves)
            for row in np.flatnonzero(unsure[codes]).tolist():
                self._place_one(placed, going, row)
        for name, when in zip(names, last.tolist(), strict=True):
            if name in self.heard:
                self.heard[name] = when
        return placed

    def _place_one(self, placed: Placed, going: "_Going", row: int) -> None:
        place, at = int(going.codes[row]), float(going.at[row])
        name = going.names[place]
        if (count := self._young.get(name)) is not None:
            self._count(name, count + 1)
        elif name not in self.heard and not self._admit(placed, going, place, at):
            bucket = self._bucket(name)
            if bucket not in going.places:
                going.places[bucket] = len(placed.targets)
                placed.targets.append(bucket)
            placed.places[row] = going.places[bucket]
            self._notice(placed, bucket, name, at)

    def _admit(self, placed: Placed, going: "_Going", place: int, at: float) -> bool:
        """Whether a name is a target from this span on."""
        name = going.names[place]
        if is_bucket(name):
            return False
        if len(self._young) < YOUNG and len(self.heard) < self.limit and name not in self._counts:
            self._begin(name, at, 0)
            return True
        count = self._tally(name)
        if count < GROWN or not (len(self.heard) < self.limit or self._make_room(placed, going, at)):
            return False
        del self._counts[name]
        self._begin(name, at, count - 1)
        placed.before[name] = count - 1
        placed.places[(going.codes == place) & (going.at == at)] = place  # what came in the same instant, too
        return True

    def _begin(self, name: Target, at: float, before: int) -> None:
        self.heard[name], self._others = at, None
        if self.buckets:
            self._since[name], self._changed = at, True
        self._count(name, before + 1)

    def _count(self, name: Target, spans: int) -> None:
        if spans < GROWN:
            self._young[name] = spans
        else:
            self._young.pop(name, None)

    def _tally(self, name: Target) -> int:
        """How many spans came of a name that overflows, at least (Misra and Gries 1982: short by n / COUNTED)."""
        self._changed = True
        if name in self._counts or len(self._counts) < COUNTED:
            self._counts[name] = self._counts.get(name, 0) + 1
            return self._counts[name]
        self._counts = {one: count - 1 for one, count in self._counts.items() if count > 1}
        return 1

    def _make_room(self, placed: Placed, going: "_Going", at: float) -> bool:
        """Let the target go that was heard longest ago, if that is GONE_S ago."""
        gone = going.gone(at)
        if gone is None:
            return False
        for known in (self.heard, self._young, self._since):
            known.pop(gone, None)
        self._changed, self._others = True, None
        placed.left.append(gone)
        return True

    def _bucket(self, name: Target) -> Target:
        """The target that stands for `name`."""
        found = Target(name.gateway, name.provider, OTHER, None)
        if found not in self.buckets:
            if len(self.buckets) >= BUCKETS:
                found = Target(None, OTHER, OTHER, None)
            if found not in self.buckets:
                self.buckets[found], self._changed, self._others = None, True, None
        return found

    # ----------------------------------------------------------------------- telling

    def _notice(self, placed: Placed, bucket: Target, name: Target, at: float) -> None:
        reason: Reason = "limit" if len(self.heard) >= self.limit else "young"
        if (reason == "young" and len(self._counts) < NOTICED) or is_bucket(name):
            return
        if at < self._noticed.get(reason, -math.inf) + AGAIN_S:
            return
        self._noticed[reason], self._changed = at, True
        field, values = self._widest()
        text = _text(reason, field, values, getattr(name, field), self.limit)
        placed.events.append((bucket, Event("crowded", at, at, 0, field, text=text)))

    def _widest(self) -> tuple[str, int]:
        """The field that has most values among the names without much data, and how many."""
        names = [*self._counts, *self._young]
        values = {one: len({getattr(name, one) for name in names}) for one in FIELDS}
        return max(values.items(), key=lambda of: of[1])

    # ------------------------------------------------------------------------ keeping

    def others(self) -> Others:
        """What the store needs to tell spans of buckets from those of targets."""
        if self._others is not None:
            return self._others
        rows = [one.as_dict() | {"since": self._since.get(one, -math.inf)} for one in self.heard]
        kinds = [(name, pa.string()) for name in ("gateway", "provider", "model", "deployment")]
        pairs = [{"gateway": one.gateway, "provider": _known(one.provider)} for one in self.buckets]
        self._others = Others(
            pa.Table.from_pylist(rows, pa.schema([*kinds, ("since", pa.float64())])),
            pa.Table.from_pylist(pairs, pa.schema(kinds[:2])),
        )
        return self._others

    def since(self, target: Target) -> float:
        """From when on the spans of a target are its own."""
        return self._since.get(target, -math.inf)

    def unsaved(self) -> bytes | None:
        """JSON from which `restore` goes on, where it changed since the last call."""
        if not self._changed:
            return None
        self._changed = False
        kept = {
            "buckets": [one.as_dict() for one in self.buckets],
            "since": [[_row(one), at] for one, at in self._since.items()],
            "counts": [[_row(one), count] for one, count in self._counts.items()],
            "noticed": self._noticed,
        }
        return json.dumps(kept, separators=(",", ":")).encode()

    def restore(self, blob: bytes | None, known: Iterable[tuple[Target, int, float]]) -> None:
        """Go on from what was saved; `known` are the targets with how many spans they had and when the last."""
        kept: Mapping[str, Any] = json.loads(blob) if blob else {}
        self._others = None
        self.buckets = dict.fromkeys(Target(**one) for one in kept.get("buckets", ()))
        self._since = {Target(*one): at for one, at in kept.get("since", ())}
        self._counts = {Target(*one): count for one, count in kept.get("counts", ())}
        self._noticed = dict(kept.get("noticed", {}))
        own = [one for one in known if not is_bucket(one[0])]
        self.heard = {target: math.inf if math.isnan(at) else at for target, _, at in own}  # until it is heard again
        self._young = {target: spans for target, spans, _ in own if spans < GROWN}


@dataclass
class _Going:
    """One batch on its way: its names and rows, and the targets that might give up their places, oldest first."""

    roster: Roster
    names: Sequence[Target]
    codes: IntArray
    at: FloatArray
    leaves: Leaves
    places: dict[Target, int] = field(init=False)
    _oldest: list[tuple[float, Target]] | None = None

    def __post_init__(self) -> None:
        self.places = {name: place for place, name in enumerate(self.names) if is_bucket(name)}

    def gone(self, at: float) -> Target | None:
        """The target that was heard longest before `at`, if long enough; it is not found again."""
        if self._oldest is None:
            self._oldest = sorted(((when, one) for one, when in self.roster.heard.items()), key=lambda of: -of[0])
        while self._oldest and self._oldest[-1][0] < at - GONE_S:
            _, target = self._oldest.pop()
            if target in self.roster.heard and not self._heard(target, at) and self.leaves(target):
                return target
        return None

    def _heard(self, target: Target, at: float) -> bool:
        """Whether a span of this batch came of `target` before `at`."""
        if target not in self.names:
            return False
        return bool(np.any((self.codes == self.names.index(target)) & (self.at <= at)))


def _last(codes: IntArray, at: FloatArray, n: int) -> FloatArray:
    """When each of n names was heard last; minus infinity for never."""
    last = np.full(n, -math.inf)
    np.maximum.at(last, codes, at)
    return last


def _known(provider: str) -> str | None:
    return None if provider == OTHER else provider


def _row(target: Target) -> list[str | None]:
    return [target.gateway, target.provider, target.model, target.deployment]


def _text(reason: Reason, field: str, values: int, example: str | None, limit: int) -> str:
    shown = "" if example is None else example if len(example) <= LONGEST else f"{example[:LONGEST]}..."
    why = (
        f"there are {limit:,} targets, which is detect.max_targets"
        if reason == "limit"
        else f"new values come faster than {GROWN} requests of each"
    )
    return (
        f'{field} has {values:,} values and more, such as "{shown}", and {why}: the others are watched together as'
        f" {OTHER}, their errors and slowness alone. Keep ids out of {field}, or raise detect.max_targets"
    )
