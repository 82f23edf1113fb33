"""A monitor whose store is real and in memory, and a client that asks its API without a socket."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from undertow.api.app import create
from undertow.batch import Batch, Decoded, Origin
from undertow.clock import ManualClock
from undertow.config import Config, WeightsConfig
from undertow.crew import Health
from undertow.span import Span, Target
from undertow.store import Store
from undertow.store.crowd import NOBODY, Others
from undertow.watch.override import Override
from undertow.watch.routing import Routing
from undertow.watch.weights import Published
from undertow_collectors.decode.registry import decode
from undertow_collectors.source import PartitionStatus, SourceStatus

NOW = 1_767_600_000.0
TARGET = {"gateway": "g", "provider": "openai", "model": "gpt-4", "deployment": None}


@dataclass
class FakeWatcher:
    """Decides about incidents in a dict, and knows what targets it is given."""

    open: dict[str, dict[str, Any]] = field(default_factory=dict)
    decisions: list[tuple[Any, ...]] = field(default_factory=list)
    shown: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    known: list[dict[str, Any]] = field(default_factory=list)
    noticeable: dict[str, Any] = field(default_factory=dict)
    routing: Routing = field(default_factory=lambda: Routing(WeightsConfig()))

    def targets(self) -> list[dict[str, Any]]:
        """As given."""
        return self.known

    def target(self, target: Target) -> dict[str, Any] | None:
        """The one of them."""
        return next((one for one in self.known if one["target"] == target.as_dict()), None)

    def others(self) -> tuple[Others, int]:
        """Nothing is watched together."""
        return NOBODY, 2000

    def detectability(self) -> dict[str, Any]:
        """As given."""
        return self.noticeable

    def memory(self, days: float) -> dict[str, Any]:
        """The days that were asked for."""
        return {"days": days, "until": None, "signals": []}

    def acknowledge(self, incident_id: str, *decided: Any) -> dict[str, Any] | None:
        """Remember who decided, why, and whether it was real."""
        return self._decide("acknowledge", incident_id, *decided)

    def accept(self, incident_id: str, *decided: Any) -> dict[str, Any] | None:
        """Remember who decided, why, and whether it was real."""
        return self._decide("accept", incident_id, *decided)

    def resolve(self, incident_id: str, *decided: Any) -> dict[str, Any] | None:
        """Remember who decided, why, and whether it was real."""
        return self._decide("resolve", incident_id, *decided)

    def judge(self, incident_id: str, *decided: Any) -> dict[str, Any] | None:
        """Remember who judged, why, and what."""
        return self._decide("judge", incident_id, *decided)

    def examples(self, incident: dict[str, Any]) -> list[dict[str, Any]]:
        """As given."""
        return self.shown.get(incident["id"], [])

    def weights(self) -> Published:
        """Of the real policy."""
        return self.routing.published

    def overrides(self) -> list[dict[str, Any]]:
        """Of the real policy."""
        return [override.as_dict() for override in self.routing.overrides()]

    def override(self, target: Target, multiplier: float, until: float, by: str, reason: str) -> dict[str, Any]:
        """By the real policy."""
        made = Override(target, multiplier, self.routing.at, until, by, reason)
        self.routing.override(made)
        return made.as_dict()

    def withdraw(self, override_id: str, by: str) -> dict[str, Any] | None:
        """By the real policy."""
        ended = self.routing.withdraw(override_id, by, self.routing.at)
        return ended.as_dict() if ended else None

    def _decide(self, decision: str, incident_id: str, *decided: Any) -> dict[str, Any] | None:
        self.decisions.append((decision, incident_id, *decided))
        return self.open.get(incident_id)


class FakeSource:
    """A source in whatever state it is put."""

    def __init__(self) -> None:
        partitions = (PartitionStatus("t", 0, 5, 7), PartitionStatus("t", 1, None, None))
        self.now = SourceStatus("running", "", partitions)

    def status(self) -> SourceStatus:
        """As put."""
        return self.now


@dataclass
class FakeDeliverer:
    """What was delivered, and what fails."""

    deliveries: dict[tuple[str, str], int] = field(default_factory=lambda: {("webhook:h:1", "sent"): 2})
    failing: dict[str, str] = field(default_factory=dict)


@dataclass
class Api:
    """The parts of a monitor and a client of its API."""

    store: Store
    clock: ManualClock
    runner: asyncio.Runner
    watcher: FakeWatcher = field(default_factory=FakeWatcher)
    source: FakeSource | None = field(default_factory=FakeSource)
    deliverer: FakeDeliverer = field(default_factory=FakeDeliverer)
    health: dict[str, Health] = field(default_factory=dict)
    config: Config = field(default_factory=Config)
    decode: Any = field(default_factory=lambda: decode)
    closed: dict[str, int] | None = None
    app: Any = None

    def start(self, **changed: Any) -> "Api":
        """Put the API together, with parts changed."""
        for name, value in changed.items():
            setattr(self, name, value)
        routing = self.watcher.routing
        rates = {Target(**row["target"]): 1.0 for row in self.store.targets()}
        self.watcher.routing = Routing.restored(routing.dump(), self.config.weights, lambda: rates)
        self.watcher.routing.advance(self.clock())
        self.app = create(
            self.store,
            self.watcher,
            self.source,
            self.config,
            self.clock,
            decode=self.decode,
            deliverer=self.deliverer,
            health=lambda name: self.health.get(name, Health(True, "running")),
            closed=self.closed,
        )
        return self

    def ask(self, method: str, path: str, *, host: str = "127.0.0.1:8321", **arguments: Any) -> httpx.Response:
        """One request."""
        return self.runner.run(self._ask(method, f"http://{host}{path}", arguments))

    def get(self, path: str, **arguments: Any) -> httpx.Response:
        """One GET."""
        return self.ask("GET", path, **arguments)

    def post(self, path: str, content: Any = b"", **arguments: Any) -> httpx.Response:
        """One POST."""
        return self.ask("POST", path, content=content, **arguments)

    async def _ask(self, method: str, url: str, arguments: dict[str, Any]) -> httpx.Response:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, trust_env=False) as client:
            return await client.request(method, url, **arguments)

    def fill(self, spans: int = 100) -> None:
        """Store that many spans, one a minute."""
        batch = Batch()
        found = [
            Span(
                span_id=f"s{i}",
                started_at=NOW - 60.0 * (spans - i),
                provider="openai",
                model="gpt-4",
                gateway="g",
                output_tokens=100 + i % 10,
                parse_ok=i % 4 != 0,
                finish_reason="stop",
            )
            for i in range(spans)
        ]
        batch.add(Origin("t", 0, 4), Decoded("native", found))
        self.store.ingest(batch)

    def put_incident(self, **changed: Any) -> dict[str, Any]:
        """An incident on record, open unless changed."""
        document = {
            "id": "inc_1",
            "target": TARGET,
            "cause": "provider_update",
            "lane": "content",
            "severity": "critical",
            "status": "open",
            "opened_at": NOW - 600.0,
            "resolved_at": None,
            "change_point": NOW - 900.0,
            "signals": [],
        } | changed
        with self.store.judgement() as judgement:
            judgement.put_incident(document)
        self.watcher.routing.learn(self.clock(), self.store.incidents())
        return document


@pytest.fixture(name="api")
def _api() -> Iterator[Api]:
    clock = ManualClock(NOW)
    with Store.open(None, clock=clock) as store, asyncio.Runner() as runner:
        yield Api(store, clock, runner).start()


@pytest.fixture(name="ok")
def _ok() -> Callable[[httpx.Response], Any]:
    def ok(response: httpx.Response) -> Any:
        assert response.status_code == 200, response.text
        return response.json()

    return ok


@pytest.fixture(name="problem")
def _problem() -> Callable[[httpx.Response, int], str]:
    def problem(response: httpx.Response, status: int) -> str:
        """The detail of an RFC 9457 problem."""
        assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")
        body = response.json()
        assert body["status"] == status
        assert body["title"]
        detail: str = body["detail"]
        return detail

    return problem
