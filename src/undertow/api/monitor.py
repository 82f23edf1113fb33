"""What the API speaks for: the parts of one running monitor."""

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from undertow.batch import Decoded, Message
from undertow.clock import Clock
from undertow.config import Config
from undertow.crew import Health
from undertow.span import Target
from undertow.store import Store
from undertow.store.crowd import Others
from undertow.watch.document import Verdict
from undertow.watch.weights import Published

Document = dict[str, Any]
Decode = Callable[[Message, str], Decoded]
"""From a message and the name of its format to what it became; never raises."""


class Watcher(Protocol):
    """What the API asks of the detection loop."""

    def targets(self) -> Sequence[Document]:
        """The state of each target."""
        ...

    def others(self) -> tuple[Others, int]:
        """Which names are targets, which are watched together, and how many targets there may be."""
        ...

    def target(self, target: Target) -> Document | None:
        """The state of one; None where it was never seen."""
        ...

    def detectability(self) -> Document:
        """What would be noticed on each signal."""
        ...

    def memory(self, days: float) -> Document:
        """The last days against every baseline that a target was judged by."""
        ...

    def acknowledge(
        self, incident_id: str, by: str, reason: str = "", verdict: Verdict | None = None
    ) -> Document | None:
        """Someone looks at it; None where it is not open."""
        ...

    def accept(self, incident_id: str, by: str, reason: str = "", verdict: Verdict | None = None) -> Document | None:
        """What changed is the new normal; None where it is not open."""
        ...

    def resolve(self, incident_id: str, by: str, reason: str = "", verdict: Verdict | None = None) -> Document | None:
        """It is over; None where it is not open."""
        ...

    def judge(self, incident_id: str, by: str, reason: str, verdict: Verdict) -> Document | None:
        """Whether it was real; None where there is no such incident."""
        ...

    def examples(self, incident: Document) -> Sequence[Document]:
        """Spans on both sides of a change."""
        ...

    def weights(self) -> Published:
        """The weights feed."""
        ...

    def overrides(self) -> Sequence[Document]:
        """The overrides of weights that stand."""
        ...

    def override(self, target: Target, multiplier: float, until: float, by: str, reason: str) -> Document:
        """A person sets a weight until then; UsageError where no target of its group would keep 1."""
        ...

    def withdraw(self, override_id: str, by: str) -> Document | None:
        """End an override early; None where it does not stand."""
        ...


class Partition(Protocol):
    """How far one partition was read."""

    @property
    def topic(self) -> str:
        """Its topic."""
        ...

    @property
    def partition(self) -> int:
        """Its number."""
        ...

    @property
    def lag(self) -> int | None:
        """How many messages are left, where that is known."""
        ...


class Status(Protocol):
    """What a source is doing."""

    @property
    def state(self) -> str:
        """In one word."""
        ...

    @property
    def detail(self) -> str:
        """In a sentence."""
        ...

    @property
    def partitions(self) -> Sequence[Partition]:
        """Its partitions."""
        ...


class Source(Protocol):
    """What the API asks of a source of spans."""

    def status(self) -> Status:
        """The state right now."""
        ...


class Deliveries(Protocol):
    """What the API asks of the outbox."""

    @property
    def deliveries(self) -> Mapping[tuple[str, str], int]:
        """Attempts by (channel, outcome)."""
        ...

    @property
    def failing(self) -> Mapping[str, str]:
        """Why the last attempt failed, by channel."""
        ...


@dataclass(frozen=True)
class Monitor:
    """The parts. `source` is None where only HTTP brings spans, `decode` where HTTP brings none.

    `health` tells how a thread is by its name: detection, outbox, rolling, retention, checkpoint. `closed` counts
    the connections that the server ended, by reason.
    """

    store: Store
    watcher: Watcher
    source: Source | None
    config: Config
    clock: Clock
    decode: Decode | None = None
    deliverer: Deliveries | None = None
    health: Callable[[str], Health] = lambda _: Health(True, "running")
    closed: MutableMapping[str, int] = field(default_factory=dict)
