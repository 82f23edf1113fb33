"""The weights feed, what people set, and who is not told of what."""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from undertow_dashboards.shapes.targets import Target


class Weight(Struct, frozen=True):
    """What the feed says of one target."""

    target: Target
    multiplier: float = 1.0
    floor: float | None = None
    reason: str = ""
    alert_ids: Sequence[str] = ()
    since: float | None = None
    expires_at: float | None = None
    step: int | None = None


class Feed(Struct, frozen=True):
    """The weights feed as gateways get it."""

    version: int = 0
    generated_at: float | str | None = None
    expires_at: float | str | None = None
    mode: str = "advisory"
    weights: Sequence[Weight] = ()


class WeightChange(Struct, frozen=True):
    """One line of the audit trail of weights."""

    at: float
    target: Target
    before: float | None = None
    after: float | None = None
    reason: str = ""
    by: str = ""
    text: str | None = None


class WeightChanges(Struct, frozen=True):
    """Body of /v1/weights/changes."""

    changes: Sequence[WeightChange] = ()


class Override(Struct, frozen=True):
    """A weight that a person set until a time."""

    id: str
    target: Target
    multiplier: float = 1.0
    since: float | None = None
    until: float | None = None
    by: str = ""
    reason: str = ""


class Overrides(Struct, frozen=True):
    """Body of /v1/weights/overrides."""

    overrides: Sequence[Override] = ()


class Silence(Struct, frozen=True):
    """Nobody is told of what matches until it ends."""

    id: str
    matchers: dict[str, Any] = {}
    starts_at: float | None = None
    ends_at: float | None = None
    by: str = ""
    comment: str = ""
    active: bool = False


class Silences(Struct, frozen=True):
    """Body of /v1/silences."""

    silences: Sequence[Silence] = ()


class Receiver(Struct, frozen=True):
    """A channel that is disabled or whose last attempt failed."""

    channel: str
    disabled_at: float | None = None
    detail: str = ""


class Receivers(Struct, frozen=True):
    """Body of /v1/receivers."""

    disabled: Sequence[Receiver] = ()
    failing: Sequence[Receiver] = ()
