"""Undertow, River's ADWIN, NannyML and two dummies on labelled streams: one table.

python tests/study/compare.py FOLDER     NAME.jsonl with NAME.truth.json beside each, as described in scoring.py
python tests/study/compare.py            streams of the simulator, and of real answers
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.study import resampled, simulated
from tests.study.scoring import REFERENCE, Row, delays, judge, table

from bench import peers

EVERY = 500
PERFORMANCE = frozenset({"ttft_s", "s_per_token"})

Stream = tuple[Path, Mapping[str, Any]]
Incident = dict[str, Any]
Target = tuple[str, str]


def main(arguments: Sequence[str]) -> None:
    """Print the table, and the median delays of Undertow."""
    with tempfile.TemporaryDirectory() as own:
        if not arguments:
            write(Path(own))
        results = study(Path(arguments[0] if arguments else own))
    print(table(results))  # noqa: T201
    print("\nmedian delay of Undertow, in requests")  # noqa: T201
    for kind, delay in delays(results["undertow"]).items():
        print(f"  {kind:28}{delay:8.0f}")  # noqa: T201


def write(folder: Path, seeds: int = 1) -> None:
    """The streams that come with the project."""
    simulated.write(folder, seeds)
    resampled.write(folder, seeds)


def study(folder: Path) -> dict[str, list[Row]]:
    """The rows of every monitor on all streams of a folder."""
    streams = [
        (file.with_name(file.name.replace(".truth.json", ".jsonl")), json.loads(file.read_text()))
        for file in sorted(folder.glob("*.truth.json"))
    ]
    monitors: dict[str, Callable[[Sequence[Stream]], list[list[Incident]]]] = {
        "undertow": undertow,
        "river-adwin": lambda streams: peer("river-adwin", streams),
        "nannyml": lambda streams: peer("nannyml", streams),
        "always": lambda streams: [always(truth["spans"]) for _, truth in streams],
        "never": lambda streams: [[] for _ in streams],
    }
    results = {}
    for name, monitor in monitors.items():
        print(f"{name}: {len(streams)} streams", file=sys.stderr)  # noqa: T201
        found = monitor(streams)
        results[name] = [judge(truth, incidents) for (_, truth), incidents in zip(streams, found, strict=True)]
    return results


def undertow(streams: Sequence[Stream]) -> list[list[Incident]]:
    """`undertow replay` at its defaults."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda stream: replayed(stream[0]), streams))


def replayed(file: Path, **environ: str) -> list[Incident]:
    """The incidents of `undertow replay`, at its defaults but for `environ`."""
    command = [Path(sys.executable).with_name("undertow"), "replay", file.resolve(), "--json", "--no-progress"]
    done = subprocess.run(command, stdout=subprocess.PIPE, cwd=file.parent, check=False, env=os.environ | environ)
    if done.returncode not in (0, 1):  # 1: incidents are open
        raise SystemExit(f"{file.name}: undertow replay ended with {done.returncode}")
    incidents: list[Incident] = json.loads(done.stdout)["incidents"]
    return incidents


def peer(name: str, streams: Sequence[Stream]) -> list[list[Incident]]:
    """A peer on every column of every target; it calls all but latencies a change of the provider."""
    owners: dict[str, tuple[int, Target]] = {}
    columns = {}
    for number, (file, _) in enumerate(streams):
        for target, of_target in read(file).items():
            group = str(len(owners))
            owners[group] = number, target
            columns |= {f"{group}/{column}": values for column, values in of_target.items()}
    incidents: list[list[Incident]] = [[] for _ in streams]
    for key, rows in peers.run(name, columns, REFERENCE)["alarms"].items():
        group, _, column = key.partition("/")
        number, (provider, model) = owners[group]
        cause = "infrastructure" if column in PERFORMANCE else "provider_update"
        told = {"target": {"provider": provider, "model": model}, "cause": cause}
        incidents[number] += (told | {"opened_after_spans": row + 1} for row in rows if row >= REFERENCE)
    return incidents


def read(file: Path) -> dict[Target, dict[str, npt.NDArray[np.float64]]]:
    """What a peer is fed of a stream: numbers and outcomes by target, in the order in which calls ended."""
    spans: dict[Target, list[dict[str, Any]]] = {}
    with file.open() as lines:
        for span in map(json.loads, lines):
            spans.setdefault((span["provider"], span["model"]), []).append(span)
    columns = {}
    for target, some in spans.items():
        some.sort(key=lambda span: span["started_at"] + span["duration_s"])
        rows = [_values(span) for span in some]
        names = sorted({name for row in rows for name in row})
        columns[target] = {name: np.array([row.get(name, np.nan) for row in rows], np.float64) for name in names}
    return columns


def _values(span: Mapping[str, Any]) -> dict[str, float]:
    signals = span.get("signals") or {}
    values = {name: value for name, value in signals.items() if isinstance(value, bool | int | float)}
    values |= {name: span[name] for name in ("output_tokens", "parse_ok", "refusal", "ttft_s") if name in span}
    if "finish_reason" in span:
        values["cut_off"] = span["finish_reason"] == "length"
    if span.get("ttft_s") and span.get("output_tokens"):
        values["s_per_token"] = (span["duration_s"] - span["ttft_s"]) / span["output_tokens"]
    return values


def always(spans: int) -> list[Incident]:
    """The dummy that cries wolf; a monitor that is no better than it is worth nothing."""
    return [{"cause": "provider_update", "opened_after_spans": n} for n in range(REFERENCE + EVERY, spans, EVERY)]


if __name__ == "__main__":
    main(sys.argv[1:])
