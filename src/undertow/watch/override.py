"""A person's word on the weight of a target: until when, whose, and why."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import msgspec

from undertow.span import Target


@dataclass(frozen=True, slots=True)
class Override:
    """`multiplier` instead of the policy's from `since` until `until`, in Unix seconds."""

    target: Target
    multiplier: float
    since: float
    until: float
    by: str
    reason: str = ""

    @property
    def id(self) -> str:
        """What it is withdrawn by."""
        identity = msgspec.json.encode([self.target.as_dict(), self.since, self.until, self.by], order="sorted")
        return "ov_" + hashlib.blake2b(identity, digest_size=8).hexdigest()

    def as_dict(self) -> dict[str, Any]:
        """As the API tells it, and as it is kept."""
        return {"id": self.id, **asdict(self), "target": self.target.as_dict()}

    @staticmethod
    def of(told: Mapping[str, Any]) -> "Override":
        """What `as_dict` told."""
        kept = {name: value for name, value in told.items() if name not in ("id", "target")}
        return Override(Target(**told["target"]), **kept)
