"""Judges released spans of the whole fleet; pure but for what it is given, so that replay and live running agree.

Every number depends on the order of the spans alone, never on how they were cut into batches: a target judges its own
spans one after the other, a batch is cut where a new target appears (the budget is shared by those known by then), and
facts reach the incidents in order of time.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from itertools import pairwise
from typing import Any

import pyarrow as pa

from undertow.config import DetectConfig
from undertow.span import Target
from undertow.watch import baseline as baselines
from undertow.watch import snapshot
from undertow.watch.attribution import Facts
from undertow.watch.controls import Lookup, compare
from undertow.watch.events import Event
from undertow.watch.frame import Frame, by_target
from undertow.watch.incident import Incidents, Told
from undertow.watch.stream import Budget
from undertow.watch.target import TargetWatch

Judged = tuple[Target, Event, list[Told]]

RETIRED = "baseline "
KEPT_BASELINES = 12
"""So many former baselines of a target are kept."""


class Engine:
    """All targets, what is known of each, and the standing incidents."""

    def __init__(self, config: DetectConfig, incidents: Incidents, lookup: Lookup) -> None:
        self.config = config
        self.incidents = incidents
        self._lookup = lookup
        self.targets: dict[Target, TargetWatch] = {}
        self.facts: dict[Target, Facts] = {}
        self._saved: dict[str, object] = {}
        self._touched: dict[Target, None] = {}
        self._retired: dict[str, bytes | None] = {}

    def judge(self, table: pa.Table) -> list[Judged]:
        """Judge released spans; every fact that became known, with the transitions it caused."""
        frames = {target: frame for target, frame in by_target(table) if len(frame)}
        self._touched |= dict.fromkeys(frames)
        judged: list[Judged] = []
        for segment in self._segments(frames):
            judged += self._judge_segment(segment)
        return judged

    def _segments(self, frames: Mapping[Target, Frame]) -> Iterator[dict[Target, Frame]]:
        """`frames` cut in time where targets appear that were not known before."""
        starts = sorted({float(frame.at[0]) for target, frame in frames.items() if target not in self.targets})
        bounds = [float("-inf"), *starts, float("inf")]
        for low, high in pairwise(bounds):
            cut = {t: f[(f.at >= low) & (f.at < high)] for t, f in frames.items()} if starts else dict(frames)
            for target in sorted((t for t, f in cut.items() if len(f) and t not in self.targets), key=_order):
                self.targets[target] = TargetWatch(target, self.config)
                self.facts[target] = Facts()
            yield {target: frame for target, frame in cut.items() if len(frame)}
            if not starts:
                return

    def _judge_segment(self, frames: Mapping[Target, Frame]) -> list[Judged]:
        shared = Budget(self.config.false_alarm_interval_days, len(self.targets))
        found: list[tuple[Target, Event]] = []
        for target, frame in frames.items():
            watch = self.targets[target]
            found += ((target, event) for event in watch.feed(frame, shared))
            self.facts[target].near_s = watch.near_s
        found.sort(key=lambda one: (one[1].at, _order(one[0]), one[1].kind, one[1].subject))
        explained = ((target, self._explained(target, event)) for target, event in found)
        return [(target, event, self._learn(target, event)) for target, event in explained]

    def _explained(self, target: Target, event: Event) -> Event:
        """What a drift of the answers is, given the controls: the target's own, the users', or not to be told yet."""
        if event.kind != "drift" or event.lane != "content" or self.incidents.of(target):
            return event
        facts = self.facts[target]
        held = [e for e in facts.known(("held",), event.since - facts.near_s, event.at) if e.subject == event.subject]
        event = replace(event, since=min([event.since, *(e.since for e in held)]))
        compared = compare(target, event, self.targets, self._lookup)
        if compared.verdict == "shared":
            names = ", ".join(sorted(f"{t.model} of {t.provider}" for t in compared.moved))
            text = f"{event.subject} went {event.direction} here and at {names} together: the users changed"
            return replace(event, kind="users", text=text)
        return replace(event, kind="held") if compared.verdict == "undecided" and not held else event

    def _learn(self, target: Target, event: Event) -> list[Told]:
        self.facts[target].add(event)
        return self.incidents.apply(target, event, self.facts)

    def accept(self, target: Target, at: float, until: float) -> list[Judged]:
        """What came after `at` is the new normal: the next baseline is collected from there, and the rest judged anew.

        The spans since then were set aside until now: they are part of no baseline. `until` is how far was judged.
        """
        old, since = self.targets[target], self._lookup(target, at, until)
        self._retire(old)
        watch = self.targets[target] = TargetWatch(target, self.config, at, old.number + bool(old.baseline))
        watch.spans = old.spans - (len(since) if since is not None else 0)
        self._saved.pop(_key(target, "baseline"), None)
        self._touched[target] = None
        return self._judge_segment({target: since}) if since is not None and len(since) else []

    def _retire(self, watch: TargetWatch) -> None:
        """Keep a baseline that is no longer judged by, so that "is it what it was?" can still be asked."""
        if watch.baseline is not None:
            number = watch.baseline.number
            self._retired[_key(watch.target, f"{RETIRED}{number}")] = baselines.dump(watch.baseline)
            self._retired[_key(watch.target, f"{RETIRED}{number - KEPT_BASELINES}")] = None

    def unsaved(self) -> Iterator[tuple[str, bytes | None]]:
        """State that changed since the last call, by key; None deletes. Baselines come once, the rest is small."""
        yield from self._retired.items()
        self._retired = {}
        touched, self._touched = self._touched, {}
        for target in touched:
            watch = self.targets[target]
            learned = watch.traffic.learned if watch.traffic else None
            for name, baseline in (("baseline", watch.baseline), ("traffic", learned)):
                key = _key(target, name)
                if self._saved.get(key) is not baseline or (baseline is None and key not in self._saved):
                    self._saved[key] = baseline
                    yield key, baselines.dump(baseline) if baseline else None
            yield _key(target, "facts"), _dump_facts(self.facts[target])
            yield _key(target, "now"), watch.dump()

    def restore(self, states: Mapping[str, bytes]) -> None:
        """Go on from saved state; what was still being collected must be fed again with `recollect`."""
        for key in sorted(states):
            *fields, name = json.loads(key)
            if name == "now":
                self._restore_target(Target(*fields), states)

    def _restore_target(self, target: Target, states: Mapping[str, bytes]) -> None:
        watch = self.targets[target] = TargetWatch(target, self.config)
        frozen, learned = (states.get(_key(target, name)) for name in ("baseline", "traffic"))
        if frozen:
            watch.adopt(baselines.load(frozen))
        watch.restore(states[_key(target, "now")], baselines.load(learned) if learned else None)
        self._saved[_key(target, "baseline")] = watch.baseline
        self._saved[_key(target, "traffic")] = watch.traffic.learned if watch.traffic else None
        self.facts[target] = _load_facts(states[_key(target, "facts")])

    def collecting(self) -> Iterator[tuple[Target, float]]:
        """Targets that collect, with the time from which their spans must be fed to `recollect`."""
        for target, watch in self.targets.items():
            if watch.baseline is None:
                yield target, watch.collected_from
            elif watch.traffic and watch.traffic.collecting_from is not None:
                yield target, watch.traffic.collecting_from

    def recollect(self, table: pa.Table) -> None:
        """Feed again what was being collected when the state was saved."""
        for target, frame in by_target(table):
            watch = self.targets[target]
            if watch.baseline is None:
                watch.collector.feed(frame)
            elif watch.traffic:
                watch.traffic.collect(frame)


def former(target: Target, states: Mapping[str, bytes]) -> list[baselines.Baseline]:
    """The baselines that a target was judged by before, oldest first, of saved state."""
    prefix = _key(target, RETIRED).removesuffix('"]')
    kept = [baselines.load(blob) for key, blob in states.items() if key.startswith(prefix)]
    return sorted(kept, key=lambda baseline: baseline.number)


def _order(target: Target) -> tuple[str, str, str, str]:
    return target.provider, target.model, target.gateway or "", target.deployment or ""


def _key(target: Target, name: str) -> str:
    return json.dumps([target.gateway, target.provider, target.model, target.deployment, name])


def _dump_facts(facts: Facts) -> bytes:
    events: list[dict[str, Any]] = [asdict(event) for event in facts.events]
    return snapshot.dump({"near_s": facts.near_s, "events": events}, {})


def _load_facts(blob: bytes) -> Facts:
    values, _ = snapshot.load(blob)
    return Facts(values["near_s"], [Event(**event) for event in values["events"]])
