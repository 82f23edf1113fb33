"""SIGTERM at any moment of a busy monitor: it ends well, and the file holds what was answered for, once."""

import itertools
import random
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pytest
from tests.served import lines, spans

SENDERS, BATCH = 3, 200
WITHIN_S = 0.1
"""Signals come at random moments, so long on average after spans have begun to come in."""


@contextmanager
def sending(url: str, life: int) -> Iterator[set[str]]:
    """Several senders post spans as fast as they are answered; the ids of those that were."""
    answered: set[str] = set()
    stop = threading.Event()

    def send(sender: int) -> None:
        with httpx.Client(base_url=url, timeout=10.0, trust_env=False) as client:
            for number in itertools.count():
                if stop.is_set():
                    return
                ids = [f"{life}-{sender}-{number}-{i}" for i in range(BATCH)]
                numbered = zip(ids, spans("gpt-4", range(BATCH)), strict=True)
                body = lines(span | {"span_id": one} for one, span in numbered)
                try:
                    client.post("/v1/spans", content=body).raise_for_status()
                except httpx.HTTPError:
                    return
                answered.update(ids)

    threads = [threading.Thread(target=send, args=(sender,)) for sender in range(SENDERS)]
    for thread in threads:
        thread.start()
    try:
        yield answered
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def ended(live: Callable[..., Any], lives: int, rng: random.Random, **plan: Any) -> set[str]:
    """End so many monitors on one file; the ids of the spans that they answered for."""
    every: set[str] = set()
    for number in range(lives):
        life = live(**plan)
        with sending(str(life.client.base_url), number) as answered:
            life.until(lambda answered=answered: answered)
            threading.Event().wait(rng.expovariate(1 / WITHIN_S))
            life.process.send_signal(signal.SIGTERM)
            assert life.ended() == 0, life.log.read_text()
        every |= answered
    return every


def faults(path: Path, answered: set[str]) -> tuple[int, int]:
    """How many spans are lost, and how many doubled."""
    with duckdb.connect(str(path), read_only=True) as con:
        rows = Counter(dict(con.execute("SELECT span_id, count(*) FROM spans GROUP BY span_id").fetchall()))
    return len(answered - rows.keys()), sum(count - 1 for count in rows.values())


@pytest.mark.parametrize("lives", [2, pytest.param(50, marks=pytest.mark.soak)])
def test_a_busy_monitor_ends_well(live: Any, configure: Callable[..., None], tmp_path: Path, lives: int) -> None:
    """It ends with 0 within ten seconds in the middle of whatever it does, and keeps all that it answered for."""
    configure("")
    answered = ended(live, lives, random.Random(22))
    assert len(answered) >= BATCH * lives
    assert faults(tmp_path / "undertow.duckdb", answered) == (0, 0)


def test_an_answer_before_the_commit_is_noticed(live: Any, configure: Callable[..., None], tmp_path: Path) -> None:
    """Negative control: a monitor that answers first and commits later loses what it answered for last."""
    configure("")
    answered = ended(live, 1, random.Random(22), broken=["answers_first"])
    lost, doubled = faults(tmp_path / "undertow.duckdb", answered)
    assert lost >= BATCH
    assert doubled == 0
