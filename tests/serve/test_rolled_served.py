"""What pages ask is answered alike before a roll, after one that was killed, and when the raw rows are gone."""

import re
import time
from collections.abc import Callable
from typing import Any

from tests.served import lines, spans

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S
TARGET = {"gateway": "edge", "provider": "openai", "model": "model-0"}
SPANS = 1800
OLD = re.compile(r"retention: ([1-9]\d*) spans")
KEPT = "[store]\nraw_retention_days = 1\n"


def answers(life: Any, start: float) -> dict[str, Any]:
    """The fleet and two series over the hours of the spans."""
    window = TARGET | {"start": start, "end": start + 6 * HOUR_S, "step_s": 1800}
    found = {
        name: life.client.get("/v1/series", params=window | {"signal": name}).raise_for_status().json()
        for name in ("output_tokens", "finish_length")
    }
    return found | {"fleet": life.get("/v1/fleet?window_s=172800")["targets"]}


def test_a_killed_roll_and_the_end_of_raw_rows_change_no_answer(live: Any, configure: Callable[..., None]) -> None:
    """SIGKILL between two pieces of a roll; the next life rolls all of it, and the one after that deletes raw rows."""
    start = time.time() // HOUR_S * HOUR_S - DAY_S - 3 * HOUR_S
    sent = lines([span for model in ("model-0", "model-1") for span in spans(model, range(SPANS), start=start)])
    configure("")
    killed = live(at="before_roll_commit", nth=2, upkeep_s=0.1, piece_bytes=1)
    killed.post("/v1/spans", sent)
    killed.killed()

    life = live()
    life.post("/v1/spans", sent)
    before = answers(life, start)
    assert [target["requests"] for target in before["fleet"]] == [SPANS, SPANS]
    assert len(before["output_tokens"]["points"]) == SPANS * 10 // 1800

    configure(KEPT)
    life = live(upkeep_s=0.1, piece_bytes=1)
    life.until(lambda: OLD.search(life.log.read_text()))
    assert answers(life, start) == before
