"""What the lanes of a target tell the incidents: facts with a time, in the order in which they became known."""

from dataclasses import dataclass
from typing import Literal

Lane = Literal["content", "identity", "traffic", "performance", "errors", "cost", "golden"]
MEMBER = "member "
"""How the subject of an event about the traffic of a pool begins that is about the share of one member."""
Kind = Literal[
    "drift",
    "recovered",
    "held",
    "users",
    "one_tenant",
    "many_tenants",
    "one_route",
    "many_routes",
    "traffic",
    "rerouted",
    "declared",
    "new_snapshot",
    "new_fingerprint",
    "release",
    "baseline",
    "crowded",
]
"""`recovered`: a drift is gone. `held`: a drift that waits until the controls can tell. `users`: they share it.
`one_tenant`, `one_route`: one of them accounts for a drift. `many_tenants`, `many_routes`: surely none does.
`rerouted`: traffic that moved because our own weights did. `crowded`: names without end are watched together."""


@dataclass(frozen=True, slots=True)
class Event:
    """One fact about one target.

    `at` is when it became known and `since` when it began, in Unix seconds of event time; `spans` counts the target's
    judged spans up to the one that told it. `subject` is a signal for `drift`, else what changed. `lane` is that of
    the signal; `text` is for people.
    """

    kind: Kind
    at: float
    since: float
    spans: int
    subject: str
    direction: str = ""
    log10_evidence: float = 0.0
    text: str = ""
    lane: Lane = "content"
