"""The policy of the weights: which multiplier each target has, and what was changed when, why and by whom.

A state machine over the whole fleet, pure but for the times that it is given: the same incidents, overrides and times
give the same changes, however often it is asked in between. Steps are dated when they are due.
"""

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import groupby
from typing import Any

from undertow.config import WeightsConfig
from undertow.errors import UsageError
from undertow.span import Target
from undertow.watch.ladder import Rung, dump, load, multiplier, step_of
from undertow.watch.moves import Moves, group
from undertow.watch.override import Override
from undertow.watch.weights import Entry, Published, lowering, order

SET_BACK_S = 600.0
"""A clock that is so much behind was set back; spans may be a little ahead of it."""

Document = dict[str, Any]
Rates = Callable[[], Mapping[Target, float]]
"""Every known target to its usual number of spans a day, 0 where that is not known."""


class Routing:
    """Multipliers of the fleet, as of `at` in Unix seconds, which goes back only where the clock was set back.

    `published` is what the feed says; it differs from `kept`, as which it was restored, when the mode is another one.
    """

    def __init__(self, config: WeightsConfig, rates: Rates = dict, version: int = 0) -> None:
        self._config = config
        self.rates = rates
        self._rungs: dict[Target, Rung] = {}
        self._overrides: dict[Target, Override] = {}
        self._moves = Moves()
        self._changes: list[Document] = []
        self._told: list[Entry] = []
        self.at = float("-inf")
        self._mode_before: str = config.mode
        self.published = self.kept = Published.of(version + 1, config.mode, ())

    # ------------------------------------------------------------------- what happens

    def learn(self, at: float, incidents: Iterable[Mapping[str, Any]]) -> None:
        """Follow the standing `incidents`, which are so since `at`."""
        self.advance(at)
        lowered = lowering(incidents, self._config)
        for target in sorted({*self._rungs, *lowered}, key=order):
            rung = self._rungs.get(target) or Rung(lowered[target])
            self._rungs[target] = rung.lowered(lowered.get(target), self.at)
        self.advance(at)

    def advance(self, at: float) -> None:
        """Take each step that is due by `at`, in order of time; those that the group or the cap forbids wait."""
        while due := min(self._due(at), key=lambda one: one[0], default=None):
            self._step_to(due[0], due[1])
        self.at = max(self.at, at)
        self._publish("undertow")

    def follow(self, now: float) -> None:
        """Advance by the clock; where it was set back each wait begins anew, instead of lasting that much longer."""
        if now < self.at - SET_BACK_S:
            self.at = now
            self._rungs = {target: rung.rested(now) for target, rung in self._rungs.items()}
        self.advance(now)

    def override(self, override: Override) -> None:
        """A person's word, from its own `since` on. Raises UsageError where it leaves no target of a group at 1."""
        self.advance(override.since)
        self._check_group(override)
        self._overrides[override.target] = override
        if rung := self._rungs.get(override.target):
            self._rungs[override.target] = rung.moved(step_of(override.multiplier, self._config), self.at)
        self._publish(override.by)

    def withdraw(self, override_id: str, by: str, at: float) -> Override | None:
        """End an override early; None where it does not stand."""
        self.advance(at)
        found = next((one for one in self._overrides.values() if one.id == override_id), None)
        if found is not None:
            self._end(found.target)
            self._publish(by)
            self.advance(at)
        return found

    def resume(self, at: float) -> None:
        """After a pause in which the feed may have been stale, so that everything had its own weight: steps dwell anew.

        Where weights become obeyed that were mere advice, the ladder begins with its first step, and what recovers by
        then is back at once: nobody was ever led away. What such a start or a stale feed moves explains traffic too.
        """
        if at < self.at - SET_BACK_S:
            self.at = at
        if self._mode_before == "enforce" and at - self.at > self._config.ttl_s:
            self._led(self.at + self._config.ttl_s, back=True)
            self._led(at, back=self.mode != "enforce")
        elif self._mode_before == "enforce" != self.mode:
            self._led(at, back=True)
        self.at = max(self.at, at)
        if self._mode_before != self.mode == "enforce":
            self._rungs = {t: replace(r, step=min(r.step, 1)) for t, r in self._rungs.items() if not r.calm}
            self._publish("undertow")
            self._led(at, back=False)
        self._mode_before = self.mode
        self._rungs = {target: rung.rested(self.at) for target, rung in self._rungs.items()}

    def _led(self, at: float, *, back: bool) -> None:
        """Remember for the detectors that traffic went to where the feed says, or back to where it usually goes."""
        for entry in self._told:
            before, after = (entry["multiplier"], 1.0) if back else (1.0, entry["multiplier"])
            if before != after:
                move = {"at": at, "target": entry["target"], "before": before, "after": after, "mode": "enforce"}
                self._moves.add(move)

    # --------------------------------------------------------------------- what is so

    def multiplier(self, target: Target) -> float:
        """What the operator's own weight is multiplied by."""
        if override := self._overrides.get(target):
            return override.multiplier
        rung = self._rungs.get(target)
        return multiplier(rung.step, self._config) if rung else 1.0

    def overrides(self) -> list[Override]:
        """Those that stand, in a fixed order."""
        return [self._overrides[target] for target in sorted(self._overrides, key=order)]

    @property
    def mode(self) -> str:
        """`advisory` or `enforce`."""
        return self._config.mode

    @property
    def moved_at(self) -> float:
        """When a multiplier was last changed, minus infinity for never."""
        return self._moves.last_at

    def next_due(self) -> float:
        """When the next step or end of an override is that nothing forbids as it is now, infinity for never."""
        return min((at for at, _ in self._due(math.inf) if at < math.inf), default=math.inf)

    def explains(self, target: Target, since: float, until: float) -> bool:
        """Whether consumers obeyed a change between two times that moved traffic of, or to, `target` or its pool."""
        return self._moves.explain(target, since, until)

    def waited(self, target: Target, since: float, until: float) -> float:
        """The seconds between two times, each counted by the multiplier that consumers obeyed in it."""
        obeyed = self.mode == "enforce"
        return self._moves.waited(target, since, until, self.multiplier(target)) if obeyed else until - since

    def drain(self) -> list[Document]:
        """The changes since the last call, each with its reason and its author, for the audit trail."""
        drained, self._changes = self._changes, []
        return drained

    # ------------------------------------------------------------------------ keeping

    def dump(self) -> bytes:
        """JSON from which `restored` goes on."""
        kept = {
            "version": self.published.version,
            "mode": self._config.mode,
            "at": self.at,
            "rungs": [[target.as_dict(), dump(rung)] for target, rung in self._rungs.items()],
            "overrides": [override.as_dict() for override in self._overrides.values()],
            "moves": self._moves.dump(),
            "told": self._told,
        }
        return json.dumps(kept).encode()

    @staticmethod
    def restored(blob: bytes, config: WeightsConfig, rates: Rates = dict) -> "Routing":
        """Go on from where `dump` was taken, perhaps under another configuration."""
        kept = json.loads(blob)
        routing = Routing(config, rates, kept["version"] - 1)
        routing.at, routing._moves, routing._told = kept["at"], Moves(kept["moves"]), kept["told"]
        routing._rungs = {Target(**target): load(rung) for target, rung in kept["rungs"]}
        routing._overrides = {one.target: one for one in map(Override.of, kept["overrides"])}
        routing._mode_before = kept["mode"]
        routing.published = routing.kept = Published.of(kept["version"], kept["mode"], routing._told)
        if kept["mode"] != config.mode:
            routing.published = Published.of(kept["version"] + 1, config.mode, routing._told)
        return routing

    # ------------------------------------------------------------------------- inside

    def _due(self, at: float) -> Iterator[tuple[float, Target]]:
        """What may happen by `at`: overrides that end, and steps that nothing forbids."""
        for target in sorted({*self._rungs, *self._overrides}, key=order):
            if override := self._overrides.get(target):
                if override.until <= at:
                    yield override.until, target
                continue
            due, step = self._rungs[target].due(self._config)
            if due <= at and not self._forbidden(target, step):
                yield due, target

    def _step_to(self, due: float, target: Target) -> None:
        self.at = max(self.at, due)
        if target in self._overrides:
            self._end(target)
        else:
            rung = self._rungs[target]
            self._rungs[target] = rung.moved(rung.due(self._config)[1], self.at)
        self._publish("undertow")

    def _end(self, target: Target) -> None:
        del self._overrides[target]
        if rung := self._rungs.get(target):
            self._rungs[target] = replace(rung, moved_at=self.at)

    def _forbidden(self, target: Target, step: int) -> str:
        """Why `target` may not go down to `step`: `last_of_group`, `cap`, or nothing."""
        if multiplier(step, self._config) >= self.multiplier(target):
            return ""
        others = self._others(target)
        if others and all(self.multiplier(other) < 1 for other in others):
            return "last_of_group"
        return "cap" if others and self._moved_with(target, step) > self._config.cap else ""

    def _moved_with(self, target: Target, step: int) -> float:
        """The share of all traffic that is moved once `target` is at `step`; alone in its group it moves nothing."""
        rates = self.rates()
        total = sum(rates.values())
        moved = 0.0
        for _, alike in groupby(sorted(self._known(), key=order), key=group):
            targets = list(alike)
            for one in targets if len(targets) > 1 else ():
                kept = multiplier(step, self._config) if one == target else self.multiplier(one)
                moved += (1 - kept) * rates.get(one, 0.0)
        return moved / total if total else 0.0

    def _others(self, target: Target) -> list[Target]:
        """Those that the traffic of `target` can go to."""
        return [other for other in self._known() if group(other) == group(target) and other != target]

    def _known(self) -> set[Target]:
        return {*self.rates(), *self._rungs, *self._overrides}

    def _check_group(self, override: Override) -> None:
        others = self._others(override.target)
        if override.multiplier < 1 and others and all(self.multiplier(other) < 1 for other in others):
            raise UsageError("every other target of this group is lowered: one of them has to be put back to 1 first")

    def _publish(self, by: str) -> None:
        """Make the feed anew where it changed, and note each change of a multiplier or of its reason."""
        self._rungs = {t: rung for t, rung in self._rungs.items() if not rung.over or t in self._overrides}
        entries = [self._entry(target) for target in sorted({*self._rungs, *self._overrides}, key=order)]
        if entries == self._told:
            return
        before, after = ({Target(**e["target"]): e for e in some} for some in (self._told, entries))
        self._told = entries
        self.published = Published.of(self.published.version + 1, self._config.mode, entries)
        for target in sorted({*before, *after}, key=order):
            self._note(target, before.get(target), after.get(target), by)

    def _note(self, target: Target, before: Entry | None, after: Entry | None, by: str) -> None:
        was, now = (one["multiplier"] if one else 1.0 for one in (before, after))
        ended = "override_ended" if before and before["reason"] == "override" else "recovered"
        reason = after["reason"] if after else ended
        if was == now and before and after and before["reason"] == reason and not _said_anew(before, after):
            return
        change = {
            "at": self.at,
            "target": target.as_dict(),
            "before": was,
            "after": now,
            "step": after["step"] if after else 0,
            "reason": reason,
            "alert_ids": (after or before or {})["alert_ids"],
            "mode": self._config.mode,
            "by": by,
        }
        self._changes.append(change)
        if was != now:
            self._moves.add(change)

    def _entry(self, target: Target) -> Entry:
        rung, override = self._rungs.get(target), self._overrides.get(target)
        since = override.since if override else rung.last.since if rung else self.at
        return {
            "target": target.as_dict(),
            "multiplier": self.multiplier(target),
            "floor": self._config.floor,
            "reason": self._reason(target, rung, override),
            "alert_ids": list(rung.last.alert_ids) if rung else [],
            "since": since,
            "expires_at": override.until if override else None,
            "step": rung.step if rung else 0,
        }

    def _reason(self, target: Target, rung: Rung | None, override: Override | None) -> str:
        if override:
            return "override"
        if rung is None or rung.calm:
            return "recovering"
        return rung.last.cause if rung.step else self._forbidden(target, 1) or rung.last.cause


def _said_anew(before: Entry, after: Entry) -> bool:
    """Whether another override took the place of one, perhaps of the same multiplier until another time."""
    return after["reason"] == "override" and any(before[key] != after[key] for key in ("since", "expires_at"))
