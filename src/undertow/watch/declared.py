"""The identity lane: what the provider or the user declares. Exact information, so no statistics beyond a majority.

A served snapshot that takes over is a declared update. A fingerprint that appears is a mark on the timeline, as several
coexist. A prompt version, or a version of the gateway, application or SDK, that appears is the user's own release.
"""

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np

from undertow.watch.events import Event, Kind
from undertow.watch.frame import RELEASES, Frame, Names
from undertow_detectors import identity


@dataclass(frozen=True, slots=True)
class Declaration:
    """One declared column: what its new values are called, and what a takeover is (None: nothing of its own)."""

    field: str
    read: Callable[[Frame], Names]
    appeared: Kind
    took_over: Kind | None


def _label(name: str) -> Callable[[Frame], Names]:
    return lambda frame: frame.names(name)


DECLARATIONS = (
    Declaration("response_model", lambda f: f.snapshot, "new_snapshot", "declared"),
    Declaration("system_fingerprint", lambda f: f.fingerprint, "new_fingerprint", None),
    Declaration("prompt_version", lambda f: f.prompt_version, "release", "release"),
    *(Declaration(label, _label(label), "release", "release") for label in RELEASES),
)


class Declared:
    """Follows one declared column of one target from its baseline on."""

    def __init__(self, declaration: Declaration, baseline: Names) -> None:
        self.declaration = declaration
        self.values = {value: code for code, value in enumerate(baseline.values)}
        shares = np.bincount(baseline.codes[baseline.codes >= 0], minlength=len(self.values)).astype(np.float64)
        self.state = identity.State.start(shares)

    def feed(self, frame: Frame, judged: int) -> list[Event]:
        """New values and takeovers in a frame; `judged` spans came before it."""
        column = self.declaration.read(frame)
        for value in column.values:
            self.values.setdefault(value, len(self.values))
        names = list(self.values)
        self.state, changes = identity.advance(self.state, column.recode(self.values), frame.at)
        events = (self._event(change, names, judged) for change in changes)
        return [event for event in events if event]

    def _event(self, change: identity.Change, names: list[str], judged: int) -> Event | None:
        kind = self.declaration.appeared if change.kind == identity.APPEARED else self.declaration.took_over
        if kind is None or (change.old == identity.UNKNOWN and change.kind == identity.TOOK_OVER):
            return None
        old = names[change.old] if change.old >= 0 else "unknown"
        told = f"{self.declaration.field} {names[change.new]!r} beside {old!r}"
        if change.kind == identity.TOOK_OVER:
            told = f"{self.declaration.field} changed from {old!r} to {names[change.new]!r}"
        spans = judged + change.index + 1
        return Event(kind, change.at, change.since, spans, self.declaration.field, text=told, lane="identity")

    def fork(self) -> "Declared":
        """Another that goes on from here."""
        made = copy(self)
        made.values = dict(self.values)
        return made

    def dump(self) -> dict[str, Any]:
        """JSON from which `restore` goes on."""
        return {"values": list(self.values), "state": self.state.to_bytes().hex()}

    def restore(self, dumped: dict[str, Any]) -> None:
        """Go on from where `dump` was taken."""
        self.values = {value: code for code, value in enumerate(dumped["values"])}
        self.state = identity.State.from_bytes(bytes.fromhex(dumped["state"]))
