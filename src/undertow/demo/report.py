"""What a run of the demo came to: its steps, and the JSON object of `undertow demo --json`."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Step:
    """One step: when it was settled, in seconds from the start, and what happened, for people."""

    step: str
    ok: bool
    at_s: float
    text: str


@dataclass(slots=True)
class Report:
    """`ok` means that everything happened; else `missed` names the step that did not. Shares are of a model's requests.

    `webhook` is what the receiver verified, `spans` what the gateway sent and the monitor stored, late ones among them.
    """

    ok: bool = False
    missed: str | None = None
    incident: dict[str, Any] | None = None
    cause: str | None = None
    webhook: dict[str, Any] = field(default_factory=lambda: {"verified": False})
    share: dict[str, Any] = field(default_factory=lambda: {"before": None, "after": None})
    spans: dict[str, int | None] = field(default_factory=lambda: {"sent": None, "stored": None, "late": None})
    seconds: float = 0.0
    steps: list[Step] = field(default_factory=list)
