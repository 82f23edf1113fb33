"""Judges released spans of the whole fleet; pure but for what it is given, so that replay and live running agree.

Every number depends on the order of the spans alone, never on how they were cut into batches: a target judges its own
spans one after the other, a batch is cut where a new target appears or a pool is formed (the budget is shared by those
known by then) and, in a replay, where consumers obey a new weight, and facts reach the incidents in order of time.
"""

import math
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import pairwise

import pyarrow as pa

from undertow.config import DetectConfig, WeightsConfig
from undertow.span import Target
from undertow.store.evidence import Point
from undertow.watch import pooling, unnamed
from undertow.watch.attribution import Facts
from undertow.watch.controls import by_route, by_tenant, compare
from undertow.watch.events import Event
from undertow.watch.frame import Frame, Lookup, by_target
from undertow.watch.incident import Incidents
from undertow.watch.kept import Kept
from undertow.watch.lifecycle import Told
from undertow.watch.pool import Pool, akin, is_gateway, members, order
from undertow.watch.routing import Routing
from undertow.watch.shares import Fleet
from undertow.watch.target import TargetWatch
from undertow.watch.traffic import Ours
from undertow.watch.unnamed import Unnamed

Judged = tuple[Target, Event, list[Told]]


class Engine:
    """All targets and pools, what is known of each, the standing incidents, and the weights that follow from them.

    `gateways` are watched where failures name none of their targets.
    """

    def __init__(
        self, config: DetectConfig, incidents: Incidents, lookup: Lookup, routing: Routing | None = None,
        *, replayed: bool = False,
    ) -> None:  # fmt: skip
        self.config, self._replayed = config, replayed
        self.incidents = incidents
        self.routing = routing or Routing(WeightsConfig())
        self._stored = lookup
        self.unnamed = Unnamed()
        self.gateways: dict[Target, TargetWatch] = {}
        self.targets: dict[Target, TargetWatch] = {}
        self.pools: dict[Pool, TargetWatch] = {}
        self.facts: dict[Target, Facts] = {}
        self._kept = Kept()

    @property
    def watches(self) -> dict[Target, TargetWatch]:
        """Targets, pools and gateways: all that share the budget."""
        return dict([*self.targets.items(), *self.pools.items(), *self.gateways.items()])

    @property
    def fleet(self) -> Fleet:
        """How they share it."""
        return Fleet.of(self.config, self.watches)

    def pool_of(self, target: Target) -> TargetWatch | None:
        """The pool that `target` is in."""
        return next((watch for pool, watch in self.pools.items() if target in pool.members), None)

    def judge(self, table: pa.Table) -> list[Judged]:
        """Judge released spans; every fact that became known, with the transitions it caused."""
        frames = self.unnamed.assign({target: frame for target, frame in by_target(table) if len(frame)})
        return [one for segment in self._segments(frames) for one in self._judge_pooled(segment)]

    def _judge_pooled(self, rest: dict[Target, Frame]) -> list[Judged]:
        """Judge spans of known targets, up to each moment at which a pool is due."""
        judged: list[Judged] = []
        while (at := pooling.due(self._unpooled(), rest)) is not None:
            judged += self._judge_segment(_cut(rest, at, after=False))
            judged += self._pool(at)
            rest = _cut(rest, at, after=True)
        return judged + self._judge_segment(rest)

    def _unpooled(self) -> dict[Target, TargetWatch]:
        """Targets that collect a baseline and are in no pool."""
        pooled = {member for pool in self.pools for member in pool.members}
        return {t: watch for t, watch in self.targets.items() if watch.baseline is None and t not in pooled}

    def _pool(self, at: float) -> list[Judged]:
        """Form the pools that are due at `at`."""
        found: list[tuple[Target, Event]] = []
        for pool in sorted(pooling.formed(self._unpooled(), at), key=order):
            watch = self.pools[pool] = TargetWatch(pool, self.config)
            baseline = pooling.baseline(pool, self.targets, at)
            watch.spans = baseline.spans
            found += ((pool, event) for event in watch.begin(baseline))
            self.facts[pool] = Facts(watch.near_s)
            self._kept.touch(pool)
        return [(target, event, self._learn(target, event)) for target, event in found]

    def _segments(self, frames: Mapping[Target, Frame]) -> Iterator[dict[Target, Frame]]:
        """`frames` cut in time where targets appear that were not known before."""
        known = self.watches
        starts = sorted({float(frame.at[0]) for target, frame in frames.items() if target not in known})
        bounds = [float("-inf"), *starts, float("inf")]
        for low, high in pairwise(bounds):
            cut = {t: f[(f.at >= low) & (f.at < high)] for t, f in frames.items()} if starts else dict(frames)
            for target in sorted((t for t, f in cut.items() if len(f) and t not in self.watches), key=order):
                self._meet(target, low)
            yield {target: frame for target, frame in cut.items() if len(frame)}
            if not starts:
                return

    def _meet(self, target: Target, at: float) -> None:
        """Watch a target from its first span on, a gateway from its first failure of no target alone."""
        watch = TargetWatch(target, self.config)
        if is_gateway(target):
            watch = unnamed.begin(target, self.targets, at, self.config)
        self._put_back({target: watch})
        self.facts[target] = Facts(watch.near_s) if watch.baseline else Facts()

    def _judge_segment(self, frames: dict[Target, Frame]) -> list[Judged]:
        """Judge spans up to each moment at which consumers obey a new weight, and what comes after it knowing that."""
        judged: list[Judged] = []
        while frames:
            before = {target: watch.fork() for target, watch in self.watches.items()} if self.obeyed else {}
            until = self.routing.next_due() if self.obeyed else math.inf
            part = _cut(frames, until, after=False)
            some, moved_at = self._learn_all(self._feed(part))
            judged += some
            if moved_at < until:
                until = moved_at
                self._put_back(before)
                self._feed(_cut(part, until, after=False))  # what this part of them told is learned already
            frames = _cut(frames, until, after=True)
            if frames:
                self.routing.advance(until)
        return judged

    def _feed(self, frames: Mapping[Target, Frame]) -> list[tuple[Target, Event]]:
        """What became known of targets and their pools, in order of time."""
        watches, fleet = self.watches, self.fleet
        found: list[tuple[Target, Event]] = []
        for target, frame in (*frames.items(), *pooling.frames(self.pools, frames)):
            watch = watches[target]
            found += ((target, event) for event in watch.feed(frame, fleet.share(target), self._ours(target)))
            self.facts[target].near_s, self.facts[target].unlike = watch.near_s, watch.unlike
            self._kept.touch(target)
        return sorted(found, key=lambda one: (one[1].at, order(one[0]), one[1].kind, one[1].subject))

    def _learn_all(self, found: list[tuple[Target, Event]]) -> tuple[list[Judged], float]:
        """Learn events in order, up to the end of the moment at which a weight is moved and obeyed, which is told."""
        judged: list[Judged] = []
        until, moved_at = math.inf, self.routing.moved_at
        for target, event in found:
            if event.at > until:
                break
            judged += ((target, fact, self._learn(target, fact)) for fact in self._explained(target, event))
            if self.obeyed and self.routing.moved_at != moved_at:
                until = event.at
        return judged, until

    def _put_back(self, watches: Mapping[Target, TargetWatch]) -> None:
        for target, watch in watches.items():
            if isinstance(target, Pool):
                self.pools[target] = watch
            elif is_gateway(target):
                self.gateways[target] = watch
            else:
                self.targets[target] = watch

    def lookup(self, target: Target, since: float, until: float) -> Frame | None:
        """The spans that are judged as those of a target or pool, with since < ended_at <= until."""
        return self.unnamed.lookup(target, lambda stored: self._stored(stored, since, until))

    @property
    def obeyed(self) -> bool:
        """Whether spans that are judged may have come after a move that their judgement leads to.

        Only in a replay: what is judged live came before the moves of the clock.
        """
        return self._replayed and self.routing.mode == "enforce"

    def _ours(self, target: Target) -> Ours:
        """Changes of our weights that are as near as a release may be to what it explains."""
        return lambda since, at: self.routing.explains(target, since - self.watches[target].near_s, at)

    def _explained(self, target: Target, event: Event) -> Iterator[Event]:
        """A drift of the answers as the controls show it, and before it what tenants and routes show of it."""
        if event.kind != "drift" or event.lane != "content":
            yield event
            return
        if not self.incidents.known(target, event, self.facts[target].near_s):
            event = self._compared(target, event)
        if event.kind == "drift":
            yield from self._asked(target, event)
        yield event

    def _asked(self, target: Target, event: Event) -> Iterator[Event]:
        """What tenants and routes show of a drift and, while an incident of it is young, of all since the change."""
        standing = self.incidents.of(target)
        if any(event.at > document["opened_at"] + self.facts[target].near_s for document in standing):
            return
        event = replace(event, since=min([event.since, *(document["change_point"] for document in standing)]))
        watch, frame = self.watches[target], self.lookup(target, event.since, event.at)
        one_tenant = any("one_tenant_moved" in document["why"] for document in standing)
        tenants = by_tenant(watch, event, frame) if one_tenant or not standing else None
        if tenants and (not standing or tenants.kind == "many_tenants"):
            yield tenants
        if routes := by_route(watch, event, frame):
            yield routes

    def _compared(self, target: Target, event: Event) -> Event:
        """What a drift of the answers is, given the controls: the target's own, the users', or not to be told yet."""
        facts = self.facts[target]
        held = [e for e in facts.known(("held",), event.since - facts.near_s, event.at) if e.subject == event.subject]
        event = replace(event, since=min([event.since, *(e.since for e in held)]))
        compared = compare(target, event, self.watches, self.lookup)
        if compared.verdict == "shared":
            names = ", ".join(sorted(f"{t.model} of {t.provider}" for t in compared.moved))
            text = f"{event.subject} went {event.direction} here and at {names} together: the users changed"
            return replace(event, kind="users", text=text)
        return replace(event, kind="held") if compared.verdict == "undecided" and not held else event

    def _learn(self, target: Target, event: Event) -> list[Told]:
        self.facts[target].add(event)
        told = self.incidents.apply(target, event, self.facts)
        if told:
            self.routing.learn(event.at, self.incidents.standing.values())
        return told

    def rates(self) -> dict[Target, float]:
        """Spans a day of each target by its baseline, or by that of its pool; 0 where neither is known."""
        found = dict.fromkeys(self.targets, 0.0)
        for watch in (*self.pools.values(), *self.targets.values()):
            if watch.baseline is not None:
                share = watch.baseline.spans / watch.baseline.days / len(members(watch.target))
                found |= dict.fromkeys(members(watch.target), share)
        return found

    def accept(self, target: Target, at: float, until: float) -> list[Judged]:
        """What came after `at` is the new normal: the next baseline is collected from there, and the rest judged anew.

        The spans since then were set aside until now: they are part of no baseline. `until` is how far was judged. What
        a pool knew of the target is void.
        """
        for pool in [pool for pool in self.pools if akin(pool, target)]:
            del self.pools[pool], self.facts[pool]
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
        old = self.watches[target]
        self._kept.retire(target, old.baseline)
        watch = TargetWatch(target, self.config, at, old.number + bool(old.baseline))
        watch.spans = old.spans - judged
        self._put_back({target: watch})

    def traced(self) -> Iterator[Point]:
        """The evidence over time that was not taken yet."""
        for target, watch in self.watches.items():
            for stream in watch.streams:
                yield from (Point(target, stream.signal.name, *peak) for peak in stream.trace.drain())

    def unsaved(self) -> Iterator[tuple[str, bytes | None]]:
        """State that changed since the last call, by key; None deletes."""
        yield from self._kept.unsaved(self.watches, self.facts)
        yield from self.unnamed.unsaved()

    def restore(self, states: Mapping[str, bytes]) -> None:
        """Go on from saved state; what was still being collected must be found again with `recollect`."""
        self.unnamed.restore(states.get(unnamed.KEY))
        for target, watch, facts in self._kept.restore(states, self.config):
            self._put_back({target: watch})
            self.facts[target] = facts

    def recollect(self, until: float) -> None:
        """Look up what was being collected when the state was saved, which was at `until`."""
        for target, watch in self.watches.items():
            since = watch.traffic.collecting_from if watch.traffic else watch.collected_from
            frame = self.lookup(target, since, until) if since is not None else None
            if frame is None:
                continue
            if watch.traffic:
                watch.traffic.collect(frame)
            else:
                watch.collector.feed(frame)


def _cut(frames: Mapping[Target, Frame], at: float, *, after: bool) -> dict[Target, Frame]:
    """What of `frames` came after `at`, or until then."""
    cut = {target: frame[(frame.at > at) == after] for target, frame in frames.items()}
    return {target: frame for target, frame in cut.items() if len(frame)}
