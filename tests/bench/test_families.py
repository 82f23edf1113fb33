"""Every family of `make bench` runs, small, and prints what it promises and nothing else."""

import ast
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

import pytest
from bench.__main__ import FAMILIES
from bench.environments import ROOT, python
from bench.figures import TRIAL_SPANS, trial

from bench import peers

KEYS = ["bench", "value", "unit", "limit", "limit_value", "ratio", "spans", "note"]
NAMES: Mapping[str, set[str]] = {
    "ingest": {"ingest.native.kafka-python", "ingest.native.confluent", "ingest.otlp.kafka-python"},
    "decode": {"decode.native", "decode.otlp", "decode.litellm"},
    "store": {"store.append"},
    "query": {"query.overview", "query.series", "query.distribution", "query.roll"},
    "detect": {"detect.batch", "detect.river-adwin", "detect.swaps_hit", "detect.swap_median_delay"},
    "targets": {"detect.targets"},
    "paint": {"paint.target", "whole.target", "turn.target", "choose.1 week"},
}
"""What each family measures at any size; that there is an entry for each is tested below."""
MARKS = {"detect": pytest.mark.peers, "paint": pytest.mark.browser}
SPANS = 2_000
LONGEST_S = 600.0
"""For a machine that is busy with something else; alone none takes more than twenty-five."""


def bench(family: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """`make bench BENCH=family` at a size that measures nothing, by the package `bench` in `folder`."""
    environ = os.environ | {"BENCH_SPANS": str(SPANS), "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "default"}
    command = [sys.executable, "-m", "bench", family]
    return subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=LONGEST_S
    )


def complaints(done: subprocess.CompletedProcess[str], names: set[str]) -> Iterator[str]:
    """What is wrong with what a family wrote."""
    if done.returncode:
        yield f"ended with {done.returncode}: {done.stderr[-2000:]}"
    found = []
    for line in done.stdout.splitlines():
        try:
            figure = json.loads(line, parse_constant=_not_a_number)
        except ValueError as error:
            yield f"{line!r} is no figure: {error}"
            continue
        found.append(figure.get("bench"))
        yield from _wrong(figure)
    if missing := names - {*found}:
        yield f"no line for {', '.join(sorted(missing))}"
    if len(found) != len({*found}):
        yield f"one name twice: {found}"


def _not_a_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


def _wrong(figure: Mapping[str, Any]) -> Iterator[str]:
    if list(figure) != KEYS:
        yield f"keys {list(figure)}, not {KEYS}"
        return
    for key in ("bench", "unit", "limit", "note"):
        if not isinstance(figure[key], str):
            yield f"{key} of {figure['bench']} is no text"
    for key in ("value", "limit_value", "ratio"):
        if not isinstance(figure[key], int | float | None):
            yield f"{key} of {figure['bench']} is neither a number nor unknown"
    if not isinstance(figure["spans"], int) or figure["spans"] < 1:
        yield f"{figure['bench']} was measured over {figure['spans']} spans"


@pytest.fixture(name="needed")
def _needed(request: pytest.FixtureRequest, without: Callable[[str], NoReturn]) -> None:
    """Skip where what the family needs cannot be had here."""
    family = request.getfixturevalue("family")
    if family == "paint" and shutil.which("chromium") is None:
        without("paint needs Chromium")
    if family == "detect":
        try:
            python("peers", peers.LOCK)
        except subprocess.CalledProcessError as error:
            without(f"the environment of the peers cannot be made: {error}")


@pytest.mark.usefixtures("needed")
@pytest.mark.parametrize("family", [pytest.param(name, marks=MARKS.get(name, ())) for name in FAMILIES])
def test_family_runs(family: str) -> None:
    """It ends, and prints one object a line with exactly the eight keys, each name once and all that it promises."""
    assert list(complaints(bench(family), NAMES[family])) == []


def families(folder: Path) -> set[str]:
    """The modules of a folder that have a `run(spans)`."""
    return {
        file.stem
        for file in folder.glob("*.py")
        for node in ast.parse(file.read_text()).body
        if isinstance(node, ast.FunctionDef) and node.name == "run" and [a.arg for a in node.args.args] == ["spans"]
    }


def test_every_family_is_run(tmp_path: Path) -> None:
    """A module with a `run(spans)` is a family of `make bench`, and its names are known here; a new one is noticed."""
    assert families(ROOT / "bench") == {*FAMILIES} == {*NAMES}
    shutil.copytree(ROOT / "bench", tmp_path / "bench")
    (tmp_path / "bench" / "fresh.py").write_text("def run(spans):\n    yield {}\n")
    assert families(tmp_path / "bench") - {*FAMILIES} == {"fresh"}


def test_a_family_that_cannot_be_imported_is_caught(tmp_path: Path) -> None:
    """A name that moved elsewhere ends the run, and the same check says so."""
    shutil.copytree(ROOT / "bench", tmp_path / "bench")
    with (tmp_path / "bench" / "store.py").open("a") as file:
        file.write("\nfrom undertow.watch.loop import MOVED_ELSEWHERE\n")
    ended, missing = complaints(bench("store", tmp_path), NAMES["store"])
    assert "cannot import name 'MOVED_ELSEWHERE'" in ended
    assert missing == "no line for store.append"


GOOD = '{"bench": "b", "value": 1.5, "unit": "s", "limit": "l", "limit_value": 3, "ratio": 0.5, "spans": 1, "note": ""}'


@pytest.mark.parametrize(
    ("output", "complaint"),
    [
        (f"{GOOD}\nhello", "'hello' is no figure"),
        (GOOD.replace("1.5", "NaN"), "NaN is not JSON"),
        (GOOD.replace('"note"', '"remark"'), "keys ['bench'"),
        (GOOD.replace('"spans": 1', '"spans": 0'), "b was measured over 0 spans"),
        (GOOD.replace("1.5", '"fast"'), "value of b is neither a number nor unknown"),
        (f"{GOOD}\n{GOOD}", "one name twice"),
        (GOOD.replace('"b"', '"c"'), "no line for b"),
    ],
)
def test_other_output_is_caught(output: str, complaint: str) -> None:
    """Anything on standard output but the promised lines is a complaint, and the promised line is none."""
    assert list(complaints(subprocess.CompletedProcess([], 0, GOOD, ""), {"b"})) == []
    found = list(complaints(subprocess.CompletedProcess([], 0, output, ""), {"b"}))
    assert complaint in found[0]


def test_a_trial_is_small() -> None:
    """What is left out of a trial is never left out of a measurement at the usual size."""
    assert trial(SPANS)
    assert trial(TRIAL_SPANS)
    assert not trial(500_000)
