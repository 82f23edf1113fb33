"""The engine's state as the store keeps it, a blob for each target and kind of state, written where it changed."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from undertow.config import DetectConfig
from undertow.span import Target
from undertow.watch import baseline as baselines
from undertow.watch import snapshot
from undertow.watch.attribution import Facts
from undertow.watch.events import Event
from undertow.watch.pool import Pool, members
from undertow.watch.target import TargetWatch

STATES = ("baseline", "traffic", "facts", "now")

RETIRED = "baseline "
KEPT_BASELINES = 12
"""So many former baselines of a target are kept."""


class Kept:
    """What is written down of an engine, and what is to be."""

    def __init__(self) -> None:
        self._frozen: dict[str, object] = {}
        self._facts: dict[Target, tuple[float, list[Event]]] = {}
        self._touched: dict[Target, None] = {}
        self._more: dict[str, bytes | None] = {}

    def touch(self, target: Target) -> None:
        """Something of a target or pool changed."""
        self._touched[target] = None

    def retire(self, target: Target, baseline: baselines.Baseline | None) -> None:
        """A target is judged by `baseline` no longer: it is kept with the last few before it."""
        if baseline is not None:
            self._more[_key(target, f"{RETIRED}{baseline.number}")] = baselines.dump(baseline)
            self._more[_key(target, f"{RETIRED}{baseline.number - KEPT_BASELINES}")] = None
        self._frozen[_key(target, "baseline")] = RETIRED  # so that it is deleted where no other took its place
        self.touch(target)

    def drop(self, target: Target, numbers: Iterable[int] = ()) -> None:
        """There is no such pool or target any more; `numbers` are those of its former baselines."""
        self._touched.pop(target, None)
        self._facts.pop(target, None)
        for name in (*STATES, *(f"{RETIRED}{number}" for number in numbers)):
            key = _key(target, name)
            self._frozen.pop(key, None)
            self._more[key] = None

    def unsaved(
        self, watches: Mapping[Target, TargetWatch], facts: Mapping[Target, Facts]
    ) -> Iterator[tuple[str, bytes | None]]:
        """State that changed since the last call, by key; None deletes. Baselines come once, the rest is small."""
        yield from self._more.items()
        self._more = {}
        touched, self._touched = self._touched, {}
        for target in touched:
            watch, fact = watches[target], facts[target]
            learned = watch.traffic.learned if watch.traffic else None
            for name, baseline in (("baseline", watch.baseline), ("traffic", learned)):
                key = _key(target, name)
                if self._frozen.get(key) is not baseline:
                    self._frozen[key] = baseline
                    yield key, baselines.dump(baseline) if baseline else None
            known = fact.near_s, fact.events
            if self._facts.get(target) != known:
                self._facts[target] = known
                yield _key(target, "facts"), _dump_facts(fact)
            yield _key(target, "now"), watch.dump()

    def restore(self, states: Mapping[str, bytes], config: DetectConfig) -> Iterator[tuple[Target, TargetWatch, Facts]]:
        """Each target and pool as it was saved."""
        for key in sorted(states):
            *fields, name = json.loads(key)
            if name == "now":
                target = _target(fields)
                watch = self._restored(target, states, config)
                facts = _load_facts(states[_key(target, "facts")])
                facts.unlike = watch.unlike
                self._facts[target] = facts.near_s, facts.events
                yield target, watch, facts

    def _restored(self, target: Target, states: Mapping[str, bytes], config: DetectConfig) -> TargetWatch:
        watch = TargetWatch(target, config)
        frozen, learned = (states.get(_key(target, name)) for name in ("baseline", "traffic"))
        if frozen:
            watch.adopt(baselines.load(frozen))
        watch.restore(states[_key(target, "now")], baselines.load(learned) if learned else None)
        self._frozen[_key(target, "baseline")] = watch.baseline
        self._frozen[_key(target, "traffic")] = watch.traffic.learned if watch.traffic else None
        return watch


def former(target: Target, states: Mapping[str, bytes]) -> list[baselines.Baseline]:
    """The baselines that a target was judged by before, oldest first, of saved state."""
    prefix = _key(target, RETIRED).removesuffix('"]')
    kept = [baselines.load(blob) for key, blob in states.items() if key.startswith(prefix)]
    return sorted(kept, key=lambda baseline: baseline.number)


def _key(target: Target, name: str) -> str:
    fields = [target.gateway, target.provider, target.model, target.deployment]
    more = [[m.gateway, m.provider, m.model, m.deployment] for m in members(target)]
    return json.dumps([*fields, more, name] if isinstance(target, Pool) else [*fields, name])


def _target(fields: list[Any]) -> Target:
    """Of a key without its name."""
    pooled = fields[-1]
    return Pool.of(Target(*member) for member in pooled) if isinstance(pooled, list) else Target(*fields)


def _dump_facts(facts: Facts) -> bytes:
    events: list[dict[str, Any]] = [asdict(event) for event in facts.events]
    return snapshot.dump({"near_s": facts.near_s, "events": events}, {})


def _load_facts(blob: bytes) -> Facts:
    values, _ = snapshot.load(blob)
    return Facts(values["near_s"], [Event(**event) for event in values["events"]])
