"""Judges released spans of the whole fleet; pure but for what it is given, so that replay and live running agree.

Every number depends on the order of the spans alone, never on how they were cut into batches: a target judges its own
spans one after the other, a batch is cut where the budget is shared by more or a pool is formed and, in a replay, where
consumers obey a new weight, and targets and facts become known in order of time.
"""

import math
from collections import deque
from collections.abc import Iterable, Iterator, Mapping

import pyarrow as pa

from undertow.config import DetectConfig, WeightsConfig
from undertow.span import Target
from undertow.store.evidence import Point
from undertow.watch import pooling, unnamed
from undertow.watch.attribution import Facts
from undertow.watch.events import Event
from undertow.watch.explaining import Explaining
from undertow.watch.frame import Frame, Lookup, cut, named, split
from undertow.watch.incident import Incidents
from undertow.watch.kept import Kept
from undertow.watch.lifecycle import Told
from undertow.watch.pool import Pool, akin, is_gateway, members, order, subject
from undertow.watch.roster import Roster, is_bucket
from undertow.watch.routing import Routing
from undertow.watch.shares import GROWN, Fleet, Shares
from undertow.watch.target import TargetWatch
from undertow.watch.traffic import Ours
from undertow.watch.unnamed import Unnamed
from undertow.watch.watched import Watched

ROSTER = '["roster"]'
"""The key of the roster's state, among those of the detectors."""

Judged = tuple[Target, Event, list[Told]]


class Engine:
    """All that is watched, what is known of each, the standing incidents, and the weights that follow from them."""

    def __init__(
        self, config: DetectConfig, incidents: Incidents, lookup: Lookup, routing: Routing | None = None,
        *, replayed: bool = False,
    ) -> None:  # fmt: skip
        self.config, self._replayed = config, replayed
        self.incidents = incidents
        self.routing = routing or Routing(WeightsConfig())
        self._stored = lookup
        self.unnamed = Unnamed()
        self._watched = Watched()
        self.targets, self.pools = self._watched.targets, self._watched.pools
        self.facts: dict[Target, Facts] = {}
        self.roster = Roster(config.max_targets)
        self._before: dict[Target, int] = {}
        self._fed: dict[Target, None] = {}
        self._shares = Shares(config)
        self._kept = Kept()
        self._explains = Explaining(self.targets, self.pools, self.facts, incidents, self.lookup)

    @property
    def watches(self) -> dict[Target, TargetWatch]:
        """Targets, pools and gateways: all that share the budget."""
        return self._watched.every()

    @property
    def fleet(self) -> Fleet:
        """How they share it."""
        return self._shares.fleet

    def judge(self, table: pa.Table) -> list[Judged]:
        """Judge released spans; every fact that became known, with the transitions it caused."""
        if table.num_rows == 0:
            return []
        names, codes = named(table)
        placed = self.roster.place(names, codes, table["ended_at"].to_numpy(), self._may_leave)
        for target in placed.left:
            self._forget(target)
        self._before = placed.before
        frames = self.unnamed.assign(dict(split(table, placed.targets, placed.places)))
        return self._judge_pooled(frames, placed.events)

    def _may_leave(self, target: Target) -> bool:
        """Whether nothing stands of a target."""
        pooled = self._watched.pools_of([target])
        return not pooled and not any(target in members(subject(d)) for d in self.incidents.standing.values())

    def _forget(self, target: Target) -> None:
        self.unnamed.forget(target)
        watch = self.targets.pop(target, None)
        if watch is None:  # all that came of it was judged with others
            return
        del self.facts[target]
        self._shares.remove(target)
        self._kept.drop(target, range(1, watch.number))

    def _judge_pooled(self, rest: dict[Target, Frame], events: Iterable[tuple[Target, Event]] = ()) -> list[Judged]:
        """Judge spans up to each moment at which more are watched or share the budget, and learn `events`."""
        judged: list[Judged] = []
        later = [*events]
        moments = self._moments(rest)
        begins = self._begins(rest)
        while rest:
            due = pooling.due(self._unpooled(rest), rest)
            at = min([*moments[-1:], *map(_just_before, begins.values()), math.inf if due is None else due])
            part, rest = cut(rest, at)
            judged += self._judge_segment(part, [one for one in later if one[1].at <= at])
            later = [one for one in later if one[1].at > at]
            self._shares.add(target for target in part if self._watched[target].spans >= GROWN)
            if at == due:
                judged += self._pool(at)
            for gateway in [gateway for gateway, first in begins.items() if _just_before(first) <= at]:
                self._begin(gateway, begins.pop(gateway))
            moments = [one for one in moments if one > at]
        return judged

    def _moments(self, frames: Mapping[Target, Frame]) -> list[float]:
        """When the budget will be shared by more, the last moment first."""
        missing = {target: GROWN - self._spans(target) for target in frames}
        grown = [(float(frames[t].at[n - 1]), t) for t, n in missing.items() if 0 < n <= len(frames[t])]
        return sorted(self._shares.moments(grown), reverse=True)

    def _begins(self, frames: Mapping[Target, Frame]) -> dict[Target, float]:
        """When the first span comes of each gateway that is not watched yet."""
        new = (target for target in frames if is_gateway(target) and not self._watched.get(target))
        return {gateway: float(frames[gateway].at[0]) for gateway in new}

    def _begin(self, gateway: Target, at: float) -> None:
        """Watch a gateway from its first failure of no target alone."""
        watch = self._watched[gateway] = unnamed.begin(gateway, self.targets, at, self.config)
        self.facts[gateway] = Facts(watch.near_s)
        self._shares.add([gateway] if watch.spans >= GROWN else [])
        self._kept.touch(gateway)

    def _spans(self, target: Target) -> int:
        watch = self._watched.get(target)
        return watch.spans if watch else self._before.get(target, 0)

    def _unpooled(self, coming: Iterable[Target] = ()) -> dict[Target, TargetWatch]:
        """Targets that collect a baseline and are in no pool, and those that are `coming`."""
        pooled = self._watched.pooled()
        new = {t: self._new(t) for t in coming if t not in self.targets and not is_gateway(t)}
        known = {**self.targets, **new}
        return {t: w for t, w in known.items() if w.baseline is None and t not in pooled and not is_bucket(t)}

    def _new(self, target: Target) -> TargetWatch:
        watch = TargetWatch(target, self.config)
        watch.spans = self._before.get(target, 0)
        return watch

    def _pool(self, at: float) -> list[Judged]:
        """Form the pools that are due at `at`."""
        found: list[tuple[Target, Event]] = []
        for pool in sorted(pooling.formed(self._unpooled(), at), key=order):
            watch = self.pools[pool] = TargetWatch(pool, self.config)
            baseline = pooling.baseline(pool, self.targets, at)
            watch.spans = baseline.spans
            found += ((pool, event) for event in watch.begin(baseline))
            self.facts[pool] = Facts(watch.near_s)
            self._shares.add([pool])
            self._kept.touch(pool)
        return [(target, event, self._learn(target, event)) for target, event in found]

    def _judge_segment(self, frames: dict[Target, Frame], events: Iterable[tuple[Target, Event]] = ()) -> list[Judged]:
        """Judge spans up to each moment at which consumers obey a new weight, and what comes after it knowing that."""
        judged: list[Judged] = []
        later = [*events]
        while frames:
            until = self.routing.next_due() if self.obeyed else math.inf
            part, _ = cut(frames, until)
            before = self._forked(part) if self.obeyed else {}
            some, moved_at = self._learn_all([*self._feed(part), *(one for one in later if one[1].at <= until)], part)
            judged += some
            if moved_at < until:
                until = moved_at
                self._put_back(before.items())
                for target in [target for target in part if target not in self.facts]:
                    del self.targets[target]  # it comes later
                self._feed(cut(part, until)[0])  # what this part of them told is learned already
            _, frames = cut(frames, until)
            later = [one for one in later if one[1].at > until]
            if frames:
                self.routing.advance(until)
        return judged

    def _feed(self, frames: Mapping[Target, Frame]) -> list[tuple[Target, Event]]:
        """What became known of targets and their pools."""
        fleet, found = self.fleet, list[tuple[Target, Event]]()
        for target, frame in (*frames.items(), *pooling.frames(self.pools, frames)):
            watch = self._watched.get(target)
            if watch is None:
                watch = self.targets[target] = self._new(target)
            found += ((target, event) for event in watch.feed(frame, fleet.share(target), self._ours(target)))
            if facts := self.facts.get(target):
                facts.near_s, facts.unlike = watch.near_s, watch.unlike
            self._kept.touch(target)
            self._fed[target] = None
        return found

    def _learn_all(
        self, found: list[tuple[Target, Event]], frames: Mapping[Target, Frame]
    ) -> tuple[list[Judged], float]:
        """Learn events and the targets of new `frames` in order of time.

        Up to the end of the moment at which a weight is moved and obeyed, which is told.
        """
        judged: list[Judged] = []
        until, moved_at = math.inf, self.routing.moved_at
        new = [(float(frame.at[0]), target) for target, frame in frames.items() if target not in self.facts]
        new.sort(key=lambda one: (one[0], order(one[1])), reverse=True)
        for target, event in sorted(found, key=lambda one: (one[1].at, order(one[0]), one[1].kind, one[1].subject)):
            if event.at > until:
                break
            self._meet(new, event.at)
            judged += ((target, fact, self._learn(target, fact)) for fact in self._explains.drift(target, event))
            if self.obeyed and self.routing.moved_at != moved_at:
                until = event.at
        self._meet(new, until)
        return judged, until

    def _meet(self, new: list[tuple[float, Target]], until: float) -> None:
        """Know of the new targets that came until then."""
        while new and new[-1][0] <= until:
            target = new.pop()[1]
            watch = self.targets[target]
            self.facts[target] = Facts(watch.near_s, unlike=watch.unlike)

    def _forked(self, targets: Iterable[Target]) -> dict[Target, TargetWatch]:
        """The watches of `targets` and of their pools as they are now."""
        found = {t: watch.fork() if (watch := self._watched.get(t)) else self._new(t) for t in targets}
        return found | {pool: self.pools[pool].fork() for pool in self._watched.pools_of(found)}

    def _put_back(self, watches: Iterable[tuple[Target, TargetWatch]]) -> None:
        for target, watch in watches:
            self._watched[target] = watch

    def lookup(self, target: Target, since: float, until: float) -> Frame | None:
        """The spans that are judged as those of a target, pool or gateway, with since < ended_at <= until."""
        return self.unnamed.lookup(target, lambda stored: self._stored(stored, since, until))

    @property
    def obeyed(self) -> bool:
        """Whether spans that are judged may have come after a move that their judgement leads to.

        Only in a replay: what is judged live came before the moves of the clock.
        """
        return self._replayed and self.routing.mode == "enforce"

    def _ours(self, target: Target) -> Ours:
        """Changes of our weights that are as near as a release may be to what it explains."""
        return lambda since, at: self.routing.explains(target, since - self._watched[target].near_s, at)

    def _learn(self, target: Target, event: Event) -> list[Told]:
        self.facts[target].add(event)
        told = self.incidents.apply(target, event, self.facts)
        if told:
            self.routing.learn(event.at, self.incidents.standing.values())
        return told

    def rates(self) -> dict[Target, float]:
        """Spans a day of each target by its baseline, or by that of its pool; 0 where neither is known."""
        return self._watched.rates(self.facts)

    def accept(self, target: Target, at: float, until: float) -> list[Judged]:
        """What came after `at` is the new normal: the next baseline is collected from there, and the rest judged anew.

        The spans since then were set aside until now: they are part of no baseline. `until` is how far was judged. What
        a pool knew of the target is void.
        """
        for pool in [pool for pool in self.pools if akin(pool, target)]:
            del self.pools[pool], self.facts[pool]
            self._shares.remove(pool)
            self._kept.drop(pool)
        found = {member: self.lookup(member, at, until) for member in members(target)}
        since = {member: frame for member, frame in found.items() if frame is not None and len(frame)}
        for member in found:
            self._renew(member, at, len(since.get(member, ())))
        judged = self._judge_pooled(since)
        deque(self.traced(), maxlen=0)  # what was told of these spans at their time stays
        return judged

    def _renew(self, target: Target, at: float, judged: int) -> None:
        """Collect anew from `at`, since when `judged` spans came; keep the baseline that is no longer judged by."""
        old = self._watched[target]
        self._kept.retire(target, old.baseline)
        watch = TargetWatch(target, self.config, at, old.number + bool(old.baseline))
        watch.spans = old.spans - judged
        self._watched[target] = watch

    def traced(self) -> Iterator[Point]:
        """The evidence over time that was not taken yet."""
        fed, self._fed = self._fed, {}
        watches = self.watches
        for target in fed:
            for stream in watches[target].streams if target in watches else ():
                yield from (Point(target, stream.signal.name, *peak) for peak in stream.trace.drain())

    def unsaved(self) -> Iterator[tuple[str, bytes | None]]:
        """State that changed since the last call, by key; None deletes."""
        yield from self._kept.unsaved(self.watches, self.facts)
        if blob := self.roster.unsaved():
            yield ROSTER, blob
        yield from self.unnamed.unsaved()

    def restore(self, states: Mapping[str, bytes]) -> None:
        """Go on from saved state; what was still being collected must be found again with `recollect`."""
        for target, watch, facts in self._kept.restore(states, self.config):
            self._watched[target] = watch
            self.facts[target] = facts
        self._shares.add(t for t, w in self.watches.items() if isinstance(t, Pool) or w.spans >= GROWN)
        self.unnamed.restore(states.get(unnamed.KEY))
        known = dict.fromkeys(self.unnamed.failing, (GROWN, math.nan))
        known |= {target: (watch.spans, watch.heard) for target, watch in self.targets.items()}
        self.roster.restore(states.get(ROSTER), ((target, *of) for target, of in known.items()))

    def collecting(self) -> dict[Target, float]:
        """Since when spans are collected, of each target, pool and gateway for which they are."""
        found = ((target, watch.collecting_from) for target, watch in self.watches.items())
        return {target: since for target, since in found if since is not None}

    def recollect(self, frames: Iterable[tuple[Target, Frame]]) -> None:
        """Take up what was being collected when the state was saved, which are `frames`."""
        for target, frame in frames:
            self._watched[target].collect(frame)


def _just_before(at: float) -> float:
    return math.nextafter(at, -math.inf)
