"""Load on a running monitor: spans of now and of long ago, and readers; and the count of what became of the spans."""

import itertools
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import httpx
from tests.served import lines

DAY_S = 86_400.0
RATE = 500
PERIOD_S = 0.2
MOST = 5000
"""Spans of one request."""

POLL_PAUSE_S = 0.05
PATIENCE_S = 60.0
"""An answer that is slow is none that is wrong; the figures say how slow."""
BACKFILL = 20
"""One span in so many is older than `store.raw_retention_days`, so that retention has something to delete."""

OLD = re.compile(r"retention: (\d+) spans")


@dataclass
class Seen:
    """What was stored by the monitor's own word, by model, and how often each path was answered with which status."""

    stored: Counter[str] = field(default_factory=Counter)
    duplicates: int = 0
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    slowest_s: float = 0.0


def calls(number: int, count: int, now: float) -> list[dict[str, object]]:
    """The spans of one batch; every id is new."""
    found = []
    for i in range(count):
        old = i % BACKFILL == 0
        at = now - 1.2 * DAY_S if old else now - 3.0
        found.append(
            {"span_id": f"{number}-{i}", "started_at": at + i / 1000, "gateway": "edge", "provider": "openai"}
            | {"model": "old" if old else "now", "route": "chat", "input_tokens": 40 + i, "output_tokens": 90 + i}
            | {"duration_s": 1.5, "finish_reason": "stop"}
        )
    return found


def _poll(client: httpx.Client, seen: Seen, over: threading.Event) -> None:
    window = f"start={time.time() - DAY_S:.0f}&end={time.time() + DAY_S:.0f}&step_s=600"
    series = f"/v1/series?gateway=edge&provider=openai&model=now&signal=output_tokens&{window}"
    for path in itertools.cycle(("/v1/fleet", series, "/v1/targets", "/readyz", "/metrics")):
        if over.wait(POLL_PAUSE_S):
            return
        began = time.monotonic()
        try:
            status = client.get(path, timeout=PATIENCE_S).status_code
        except httpx.TransportError:  # the monitor has ended, which others say
            return
        seen.slowest_s = max(seen.slowest_s, time.monotonic() - began)
        seen.answers[path.partition("?")[0], status] += 1


@contextmanager
def pollers(life: Any, seen: Seen, count: int) -> Iterator[None]:
    """So many readers that ask one thing after another, as open dashboards do."""
    over = threading.Event()
    threads = [threading.Thread(target=_poll, args=(life.client, seen, over)) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def send(life: Any, seen: Seen, lasts_s: float) -> None:
    """RATE spans a second, more at once where answers are slow; each batch until it is taken; ends with the monitor."""
    begun, sent = time.monotonic(), 0
    for number in itertools.count():
        passed = time.monotonic() - begun
        count = min(MOST, round(RATE * (passed + PERIOD_S)) - sent)
        if passed >= lasts_s or not _send(life, seen, calls(number, count, time.time())):
            return
        sent += count
        time.sleep(max(0.0, begun + sent / RATE - time.monotonic()))


def _send(life: Any, seen: Seen, batch: list[dict[str, object]]) -> bool:
    """Whether the monitor has taken it."""
    while life.process.poll() is None:
        try:
            answer = life.client.post("/v1/spans", content=lines(batch), timeout=PATIENCE_S)
        except httpx.TransportError:
            return False
        seen.answers["/v1/spans", answer.status_code] += 1
        if answer.status_code == 200:
            seen.stored.update(str(span["model"]) for span in batch)
            seen.duplicates += answer.json()["duplicates"]
            return True
    return False


def load(life: Any, lasts_s: float, readers: int = 3) -> Seen:
    """Send and read for so long, or until the monitor ends."""
    seen = Seen()
    with pollers(life, seen, readers):
        send(life, seen, lasts_s)
    return seen


def lost(path: Path, log: str, seen: Seen) -> Counter[str]:
    """Of what was stored, how much is neither in the closed database nor deleted by age, by model."""
    with duckdb.connect(str(path), read_only=True) as con:
        found = Counter(dict(con.execute("SELECT model, count(DISTINCT span_id) FROM spans GROUP BY model").fetchall()))
    found["old"] += sum(map(int, OLD.findall(log)))
    return Counter({model: count - found[model] for model, count in seen.stored.items() if count != found[model]})


def figures(life: Any, seen: Seen, lasted_s: float, told: Callable[[str], Any]) -> str:
    """What a run came to, as one line of JSON."""
    log = life.log.read_text()
    found = {
        "lasted_s": round(lasted_s, 1),
        "stored": seen.stored.total(),
        "spans_per_s": round(seen.stored.total() / lasted_s),
        "deleted": sum(map(int, OLD.findall(log))),
        "retention_rounds": len(OLD.findall(log)),
        "reads": sum(n for (path, _), n in seen.answers.items() if path != "/v1/spans"),
        "slowest_read_s": round(seen.slowest_s, 2),
        "upkeep": told("upkeep"),
        "refused_first": log.count("checkpoint failed and will be tried again"),
    }
    return json.dumps(found)
