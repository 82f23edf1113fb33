"""What else is to be known of a drift of the answers before it is told: its controls, its tenants and its routes."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from undertow.span import Target
from undertow.watch.attribution import Facts
from undertow.watch.controls import by_route, by_tenant, compare
from undertow.watch.events import Event
from undertow.watch.frame import Lookup
from undertow.watch.incident import Incidents
from undertow.watch.pool import Pool
from undertow.watch.target import TargetWatch


class Explaining:
    """Asks the targets and pools of a fleet, which it only reads."""

    def __init__(
        self, targets: Mapping[Target, TargetWatch], pools: Mapping[Pool, TargetWatch],
        facts: Mapping[Target, Facts], incidents: Incidents, lookup: Lookup,
    ) -> None:  # fmt: skip
        self._targets, self._pools, self._facts = targets, pools, facts
        self._incidents, self._lookup = incidents, lookup

    def _watches(self) -> dict[Target, TargetWatch]:
        return dict([*self._targets.items(), *self._pools.items()])

    def drift(self, target: Target, event: Event) -> Iterator[Event]:
        """A drift of the answers as the controls show it, and before it what tenants and routes show of it."""
        if event.kind != "drift" or event.lane != "content":
            yield event
            return
        if not self._incidents.known(target, event, self._facts[target].near_s):
            event = self._compared(target, event)
        if event.kind == "drift":
            yield from self._asked(target, event)
        yield event

    def _asked(self, target: Target, event: Event) -> Iterator[Event]:
        """What tenants and routes show of a drift and, while an incident of it is young, of all since the change."""
        standing = self._incidents.of(target)
        if any(event.at > document["opened_at"] + self._facts[target].near_s for document in standing):
            return
        event = replace(event, since=min([event.since, *(document["change_point"] for document in standing)]))
        watch, frame = self._watches()[target], self._lookup(target, event.since, event.at)
        one_tenant = any("one_tenant_moved" in document["why"] for document in standing)
        tenants = by_tenant(watch, event, frame) if one_tenant or not standing else None
        if tenants and (not standing or tenants.kind == "many_tenants"):
            yield tenants
        if routes := by_route(watch, event, frame):
            yield routes

    def _compared(self, target: Target, event: Event) -> Event:
        """What a drift of the answers is, given the controls: the target's own, the users', or not to be told yet."""
        facts = self._facts[target]
        held = [e for e in facts.known(("held",), event.since - facts.near_s, event.at) if e.subject == event.subject]
        event = replace(event, since=min([event.since, *(e.since for e in held)]))
        compared = compare(target, event, self._watches(), self._lookup)
        if compared.verdict == "shared":
            names = ", ".join(sorted(f"{t.model} of {t.provider}" for t in compared.moved))
            text = f"{event.subject} went {event.direction} here and at {names} together: the users changed"
            return replace(event, kind="users", text=text)
        return replace(event, kind="held") if compared.verdict == "undecided" and not held else event
