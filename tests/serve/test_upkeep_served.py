"""Rolling, retention and checkpoints beside readers and a busy intake: the monitor lives, and nothing is lost."""

import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.serve import upkeep

QUICK_S = 20.0
LONG_S = 1800.0
KEPT = "[store]\nraw_retention_days = 1\n"


def part(life: Any, name: str) -> Any:
    """One part of /readyz."""
    return next(found for found in life.client.get("/readyz").json()["parts"] if found["part"] == name)


@pytest.mark.parametrize(("lasts_s", "upkeep_s"), [(QUICK_S, 0.1), pytest.param(LONG_S, 1.0, marks=pytest.mark.soak)])
def test_upkeep_beside_readers_ends_nothing_and_loses_nothing(
    live: Any, configure: Callable[..., None], tmp_path: Path, lasts_s: float, upkeep_s: float
) -> None:
    """500 spans a second and three readers: no answer is an error, and at the end every span is stored or deleted."""
    configure(KEPT)
    life, began = live(upkeep_s=upkeep_s), time.monotonic()
    seen = upkeep.load(life, lasts_s)
    assert life.process.poll() is None, life.log.read_text()[-3000:]
    sys.stdout.write(upkeep.figures(life, seen, time.monotonic() - began, lambda name: part(life, name)) + "\n")
    assert {status for _, status in seen.answers} == {200}, seen.answers
    assert part(life, "upkeep")["ok"]
    life.process.terminate()
    assert life.ended(upkeep.PATIENCE_S) == 0, life.log.read_text()[-3000:]
    log = life.log.read_text()
    assert upkeep.lost(tmp_path / "undertow.duckdb", log, seen) == Counter()
    assert seen.duplicates == 0
    assert sum(map(int, upkeep.OLD.findall(log))) > 0, "retention had nothing to do"


def test_a_refused_checkpoint_that_is_taken_for_the_end_is_caught(live: Any, configure: Callable[..., None]) -> None:
    """The same load ends a monitor that does not try again."""
    configure(KEPT)
    life = live(upkeep_s=0.1, broken=["dies_of_checkpoint"])
    upkeep.load(life, 10 * QUICK_S)
    assert life.ended() == 75
    assert "checkpoint: see that the disk has space" in life.log.read_text()
