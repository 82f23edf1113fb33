"""One wrong clock blinds neither the monitor nor the back-test, and they still say the same."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from undertow.cli import main
from undertow.eventtime import EventTime, Sources, Times

Spans = list[dict[str, Any]]
Write = Callable[[str, Spans], Path]
CLOCKS = Path(__file__).parents[1] / "fixtures" / "clocks"
COMPARED = ("id", "target", "cause", "opened_at", "opened_after_spans", "change_point", "signals", "why")


def far_future(spans: Spans) -> Spans:
    """One span of another century in the middle."""
    wrong = spans[1000] | {"span_id": "wrong", "started_at": 4.2e9}
    return [*spans[:1000], wrong, *spans[1000:]]


def a_day_ahead_at_first(spans: Spans) -> Spans:
    """One span of tomorrow before all others."""
    return [spans[0] | {"span_id": "wrong", "started_at": float(spans[0]["started_at"]) + 86_400.0}, *spans]


def one_host_ahead(spans: Spans) -> Spans:
    """Beside the others a target that is 150 s ahead, shipped as it is written."""
    ahead = [
        span | {"span_id": f"a{i}", "model": "gpt-5", "started_at": float(span["started_at"]) + 155.0}
        for i, span in enumerate(spans)
        if i % 2
    ]
    both = [(float(s["started_at"]) - 150.0 * (s["model"] == "gpt-5"), s) for s in (*spans, *ahead)]
    return [span for _, span in sorted(both, key=lambda pair: pair[0])]


FAULTS = [far_future, a_day_ahead_at_first, one_host_ahead]


@pytest.fixture(name="replay")
def _replay(quick: Path, write: Write, capsys: pytest.CaptureFixture[str]) -> Callable[[Spans], dict[str, Any]]:
    def replay(spans: Spans) -> dict[str, Any]:
        """The report on a log."""
        main(["replay", "--json", "--no-progress", "--config", str(quick), str(write("log.jsonl", spans))])
        report: dict[str, Any] = json.loads(capsys.readouterr().out)
        return report

    return replay


def seen(incidents: Spans, model: str = "gpt-4") -> Spans:
    """What is compared of the incidents of the target whose clock is right."""
    return [{key: one[key] for key in COMPARED} for one in incidents if one["target"]["model"] == model]


@pytest.mark.parametrize("fault", FAULTS)
def test_the_planted_update_is_found(
    stream: Callable[..., Spans], replay: Callable[[Spans], dict[str, Any]], fault: Callable[[Spans], Spans]
) -> None:
    """Nothing is late, and the incident is that of the log without the fault."""
    spans = stream(change_at=3000)
    report = replay(fault(spans))
    assert report["spans"]["late"] == 0
    incidents = seen(report["incidents"])
    assert [(one["cause"], one["opened_at"]) for one in incidents][:1] == [
        (one["cause"], one["opened_at"]) for one in replay(spans)["incidents"]
    ][:1] or fault is one_host_ahead
    assert incidents
    told = [one["target"]["model"] for one in report["notices"] if one["kind"] == "clock_ahead"]
    assert told == (["gpt-5"] if fault is one_host_ahead else [])


@pytest.mark.parametrize(
    ("log", "named"),
    [("replay-one-span-49-years-ahead", []), ("replay-one-host-150-s-ahead", ["groq-primary"])],
)
def test_reported_logs_are_judged_and_the_host_ahead_is_named(
    quick: Path, capsys: pytest.CaptureFixture[str], log: str, named: list[str]
) -> None:
    """Logs made after real reports: by the newest of any span 2,499 and 1,943 spans were late."""
    main(["replay", "--json", "--no-progress", "--config", str(quick), str(CLOCKS / f"{log}.jsonl.gz")])
    report = json.loads(capsys.readouterr().out)
    assert (report["spans"]["late"], report["spans"]["stored"] >= 3000) == (0, True)
    assert [one["target"]["deployment"] for one in report["notices"] if one["kind"] == "clock_ahead"] == named


@pytest.mark.parametrize("fault", FAULTS)
def test_the_newest_of_any_span_would_blind_it(
    stream: Callable[..., Spans],
    replay: Callable[[Spans], dict[str, Any]],
    fault: Callable[[Spans], Spans],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Negative control: by the running maximum most of the log is late."""

    agreed = EventTime.after

    def after(self: EventTime, sources: Sources, times: Times) -> tuple[EventTime, Times]:
        running = np.maximum(np.maximum.accumulate(times), self.now)
        state, _ = agreed(self, sources, times)
        return replace(state, now=float(running.max(initial=self.now))), running

    monkeypatch.setattr(EventTime, "after", after)
    assert replay(fault(stream(change_at=3000)))["spans"]["late"] > 2000


@pytest.mark.parametrize("fault", FAULTS)
def test_serve_and_replay_agree_on_wrong_clocks(
    serve: Callable[..., Any],
    stream: Callable[..., Spans],
    replay: Callable[[Spans], dict[str, Any]],
    quick: Path,
    fault: Callable[[Spans], Spans],
) -> None:
    """The same incidents live and from a file, whatever clock is wrong, and nothing late in either."""
    spans = fault(stream(change_at=3000))
    expected = seen(replay(spans)["incidents"])
    served = serve("--config", str(quick))
    url = served.ready()
    for begin in range(0, len(spans), 500):
        body = b"".join(json.dumps(span).encode() + b"\n" for span in spans[begin : begin + 500])
        assert httpx.post(f"{url}/v1/spans", content=body, timeout=60).status_code == 200
    served.until(lambda: seen(httpx.get(f"{url}/v1/incidents").json()["incidents"]) == expected != [])
    assert httpx.get(f"{url}/v1/ingest").json()["totals"]["late"] == 0
