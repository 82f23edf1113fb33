"""A router that follows the weights feed: what a gateway needs to add, in full.

It polls `GET /v1/weights` with the ETag it has, multiplies its own weights while the feed is in `enforce`, and falls
back to them when the feed is stale, so that a monitor that is away changes nothing (CONTRACTS 6).
"""

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import httpx
import numpy as np

from undertow.clock import Clock, system_clock
from undertow.span import Target
from undertow_collectors.scenarios import Endpoint


class Choice(NamedTuple):
    """One request that was routed."""

    at: float
    endpoint: Endpoint


class Share(NamedTuple):
    """A share, and of how many requests; 0 of none."""

    value: float
    requests: int


class Router:
    """Chooses an endpoint for each request; every endpoint's own weight is 1. Safe to use from several threads."""

    def __init__(self, endpoints: Sequence[Endpoint], clock: Clock = system_clock) -> None:
        self._endpoints = endpoints
        self._clock = clock
        self._lock = threading.Lock()
        self._etag: str | None = None
        self._feed: Mapping[str, Any] = {}
        self._good_until = 0.0
        self._choices: deque[Choice] = deque(maxlen=100_000)

    def poll(self, client: httpx.Client) -> bool:
        """Ask for the feed once; whether the answer was new. A failure keeps the last feed until it is stale."""
        headers = {"if-none-match": self._etag} if self._etag else {}
        try:
            answer = client.get("/v1/weights", headers=headers)
        except httpx.HTTPError:
            return False
        if answer.status_code == httpx.codes.OK:
            self.take(answer.json(), answer.headers.get("etag"))
        elif answer.status_code == httpx.codes.NOT_MODIFIED:
            self._renew()
        return answer.status_code == httpx.codes.OK

    def take(self, feed: Mapping[str, Any], etag: str | None = None) -> None:
        """Follow `feed` from now on."""
        with self._lock:
            self._feed, self._etag = feed, etag
        self._renew()

    def multiplier(self, endpoint: Endpoint) -> float:
        """What the endpoint's own weight is multiplied by now."""
        with self._lock:
            feed, fresh = self._feed, self._clock() < self._good_until
        if not fresh or feed["mode"] != "enforce":
            return 1.0
        return next((e["multiplier"] for e in feed["weights"] if self._applies(e, endpoint)), 1.0)

    def choose(self, rng: np.random.Generator, model: str) -> Endpoint:
        """The endpoint that gets the next request for `model`."""
        group = [endpoint for endpoint in self._endpoints if endpoint.model == model]
        weights = np.array([self.multiplier(endpoint) for endpoint in group])
        chosen = group[rng.choice(len(group), p=weights / weights.sum() if weights.any() else None)]
        with self._lock:
            self._choices.append(Choice(self._clock(), chosen))
        return chosen

    def share(self, endpoint: Endpoint, since: float, until: float) -> Share:
        """The endpoint's share of what was asked of its model from `since` to `until` (Unix seconds)."""
        with self._lock:
            group = [c for c in self._choices if since <= c.at < until and c.endpoint.model == endpoint.model]
        return Share(sum(c.endpoint == endpoint for c in group) / max(1, len(group)), len(group))

    def _renew(self) -> None:
        """A 200 or a 304 makes the feed good for its whole time again, by our own clock."""
        with self._lock:
            if self._feed:
                self._good_until = self._clock() + self._feed["expires_at"] - self._feed["generated_at"]

    def _applies(self, entry: Mapping[str, Any], endpoint: Endpoint) -> bool:
        expires_at = entry.get("expires_at")
        return (expires_at is None or self._clock() < expires_at) and same(entry["target"], endpoint)


def same(target: Mapping[str, Any], endpoint: Endpoint) -> bool:
    """Whether `target` is `endpoint`, as far as the target says: formats that hide the deployment leave it null."""
    found = Target(**target)
    return (
        (found.provider, found.model) == (endpoint.provider, endpoint.model)
        and found.gateway in (None, endpoint.gateway)
        and found.deployment in (None, endpoint.deployment)
    )
