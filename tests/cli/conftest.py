import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.served import START, Served

Stream = Callable[..., list[dict[str, object]]]


@pytest.fixture(name="stream")
def _stream() -> Stream:
    """Spans of one target as dicts: one every ten seconds; from `change_at` on, answers are `factor` times as long."""

    def stream(
        n: int = 5000, change_at: int | None = None, factor: float = 0.5, seed: int = 1
    ) -> list[dict[str, object]]:
        rng = np.random.default_rng(seed)
        inputs = rng.lognormal(5, 0.6, n).astype(int) + 1
        outputs = rng.lognormal(5, 0.5, n)
        outputs[n if change_at is None else change_at :] *= factor
        return [
            {
                "span_id": f"span-{seed}-{i}",
                "started_at": START + 10.0 * i,
                "gateway": "edge",
                "provider": "openai",
                "model": "gpt-4",
                "route": "chat",
                "input_tokens": int(inputs[i]),
                "output_tokens": int(outputs[i]) + 1,
                "duration_s": 1.5,
                "finish_reason": "stop",
            }
            for i in range(n)
        ]

    return stream


@pytest.fixture(name="write")
def _write(tmp_path: Path) -> Callable[[str, list[dict[str, object]]], Path]:
    """Writes spans as JSONL under a name."""

    def write(name: str, spans: list[dict[str, object]]) -> Path:
        path = tmp_path / name
        path.write_text("".join(json.dumps(span) + "\n" for span in spans))
        return path

    return write


@pytest.fixture(name="quick")
def _quick(tmp_path: Path) -> Path:
    """A configuration whose baseline freezes after 2000 spans, whatever time they cover."""
    path = tmp_path / "quick.toml"
    path.write_text("[detect.baseline]\nmin_spans = 2000\nmin_hours = 0\n")
    return path


@pytest.fixture(name="serve")
def _serve(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Starts monitors, and ends those that a test left running."""
    started: list[Served] = []

    def serve(*arguments: str, **environ: str) -> Served:
        started.append(Served(tmp_path, *arguments, **{"UNDERTOW_API__PORT": "0"} | environ))
        return started[-1]

    yield serve
    for served in started:
        served.kill()
