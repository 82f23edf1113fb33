"""The weights feed as a consumer has it: whom it speaks of, and how long it may be believed (CONTRACTS 6).

The standard library alone, so that it can be imported into any gateway.
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

Feed = Mapping[str, Any]
"""The body of `GET /v1/weights`."""
LIMIT_BYTES = 8 * 2**20
"""No body of a feed is longer; it would hold ten thousand targets."""
LONGEST_S = 86_400.0
"""No feed is good for longer (`weights.ttl_s`)."""
_FAR_S = 1e12


class Deployment(NamedTuple):
    """What a gateway knows of one of its targets; None matches whatever the feed says, as null does the other way."""

    gateway: str | None
    provider: str | None
    model: str | None
    deployment: str | None = None


class Followed:
    """The last feed, believed until it is stale by the consumer's own clock, whose seconds `now` are.

    Only how far apart the feed's times are is used, so that the clocks need not agree.
    """

    def __init__(self) -> None:
        self.etag: str | None = None
        self._feed: Feed = {}
        self._ahead_s = 0.0
        self._asked_at = 0.0
        self.good_until = 0.0

    def take(self, feed: Feed, etag: str | None, now: float) -> None:
        """A 200. Raises KeyError, TypeError or ValueError where it is no feed; the last one stays then."""
        for entry in feed["weights"]:
            multiplier(entry)
            _moment(0 if entry["expires_at"] is None else entry["expires_at"])
        ttl_s = _moment(feed["expires_at"]) - _moment(feed["generated_at"])
        if not isinstance(feed["mode"], str) or ttl_s > LONGEST_S:
            raise ValueError("no weights feed")
        self._feed, self.etag, self._ahead_s = feed, etag, feed["generated_at"] - now
        self.renew(now)

    def renew(self, now: float) -> None:
        """A 304: it is good for its whole time again."""
        if self._feed:
            self._asked_at = now
            self.good_until = now + self._feed["expires_at"] - self._feed["generated_at"]

    def weights(self, now: float) -> list[Mapping[str, Any]]:
        """The entries to obey now, without those that have expired; none where the feed is stale or advisory.

        None either where the clock was set back, by which a feed would be good for that much longer.
        """
        if not self._asked_at <= now < self.good_until or self._feed["mode"] != "enforce":
            return []
        there = now + self._ahead_s
        return [e for e in self._feed["weights"] if e["expires_at"] is None or there < e["expires_at"]]


def read(body: bytes | bytearray) -> Feed:
    """The feed in a body. Raises ValueError where it is no JSON, however deep."""
    try:
        feed: Feed = json.loads(body)
    except RecursionError:
        raise ValueError("no weights feed") from None
    return feed


def _moment(at: Any) -> float:
    """Unix seconds; JSON of Python knows NaN and Infinity, which would be good for ever."""
    if not -_FAR_S <= at <= _FAR_S:
        raise ValueError("no time")
    return float(at)


def multiplier(entry: Mapping[str, Any]) -> float:
    """Of one entry, from 0 to 1. Raises KeyError, TypeError or ValueError where it is no entry."""
    value = entry["multiplier"]
    if not 0 <= value <= 1 or not isinstance(entry["target"], Mapping):
        raise ValueError("no entry of a weights feed")
    return float(value)


def of(deployment: Deployment, weights: list[Mapping[str, Any]]) -> float:
    """What the deployment's own weight is multiplied by: 1 where nothing speaks of it."""
    return min((multiplier(entry) for entry in weights if _speaks(entry["target"], deployment)), default=1.0)


def _speaks(target: Mapping[str, Any], deployment: Deployment) -> bool:
    pairs = ((target.get(name), getattr(deployment, name)) for name in Deployment._fields)
    return all(a is None or b is None or a == b for a, b in pairs)
