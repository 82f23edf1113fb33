"""The monitor and the back-test are one detector: what is judged live is judged the same from a file."""

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from undertow.cli import main

Stream = Callable[..., list[dict[str, object]]]
Write = Callable[[str, list[dict[str, object]]], Path]

COMPARED = ("id", "target", "cause", "lane", "opened_at", "opened_after_spans", "change_point", "signals", "why")


def out_of_order(spans: list[dict[str, object]], rng: random.Random) -> Iterator[list[dict[str, object]]]:
    """Pieces of any size, in which spans are up to 50 s out of order: inside `detect.lateness_s`."""
    blocks = [spans[i : i + 5] for i in range(0, len(spans), 5)]
    for block in blocks:
        rng.shuffle(block)
    mixed = [span for block in blocks for span in block]
    begin = 0
    while begin < len(mixed):
        end = begin + rng.randrange(1, 400)
        yield mixed[begin:end]
        begin = end


@pytest.mark.parametrize("seed", [1, 2])
def test_serve_and_replay_agree(
    serve: Callable[..., Any],
    stream: Stream,
    write: Write,
    quick: Path,
    capsys: pytest.CaptureFixture[str],
    seed: int,
) -> None:
    """The same incidents, to the span that opened them and every number, although serve got them late and in pieces."""
    spans = stream(change_at=3000, factor=0.8, seed=seed)
    assert main(["replay", "--json", "--no-progress", "--config", str(quick), str(write("log.jsonl", spans))]) == 1
    replayed = json.loads(capsys.readouterr().out)
    expected = [{key: one[key] for key in COMPARED} for one in replayed["incidents"]]
    served = serve("--config", str(quick))
    url = served.ready()
    for piece in out_of_order(spans, random.Random(seed)):
        body = b"".join(json.dumps(span).encode() + b"\n" for span in piece)
        assert httpx.post(f"{url}/v1/spans", content=body, timeout=30).json()["stored"] == len(piece)

    def found() -> list[dict[str, object]]:
        incidents = httpx.get(f"{url}/v1/incidents").json()["incidents"]
        return [{key: one[key] for key in COMPARED} for one in incidents]

    served.until(lambda: found() == expected)
    assert httpx.get(f"{url}/v1/ingest").json()["totals"]["late"] == 0
