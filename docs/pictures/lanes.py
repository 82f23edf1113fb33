"""One picture for each lane: what was simulated, what the detectors that `undertow serve` runs made of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import altair as alt
import numpy as np
from docs.pictures import drawing, recordings
from docs.pictures.recordings import DAY_S, HOUR_S, ONSET, Recording, binned, record, rolling_median, simulated

from undertow.watch import performance
from undertow.watch.events import Event
from undertow.watch.frame import FloatArray, Names
from undertow.watch.heads import Number
from undertow.watch.signals import CONTENT
from undertow.watch.stream import Stream
from undertow.watch.target import TargetWatch
from undertow_collectors.scenarios import GPT_4O, SCENARIOS, Behaviour, Scenario
from undertow_detectors import identity

FOLDER = Path(__file__).parents[1] / "images"


def content_lane() -> alt.VConcatChart:
    """Answers a tenth shorter."""
    made = record(simulated(SCENARIOS["small-update"], 4.25), ONSET - 1.2 * DAY_S)
    alarm = made.first("drift", "output_tokens")
    span = (ONSET - 1.2 * DAY_S, alarm.at + 5 * HOUR_S)
    change = drawing.interval(made.interval(alarm), span, "change point, 95 %")
    length = drawing.line(_answers(made), span, "tokens, median of 400")
    marks = _marks(alarm, span, "a tenth shorter", "alarm")
    panels = [drawing.panel([change, length, *marks], 150), _evidence(made, alarm, span)]
    return drawing.stacked("Content: evidence piles up once answers are shorter", panels)


def performance_lane() -> alt.VConcatChart:
    """A provider that becomes slower by a quarter, with a load that slows it every afternoon."""
    made = record(simulated(Scenario("slower", "infrastructure", Behaviour(latency=1.25)), 4.0), ONSET - 1.5 * DAY_S)
    alarm, stream = made.first("drift", "ttft_s"), made.stream("ttft_s")
    span = (ONSET - 1.5 * DAY_S, ONSET + 0.5 * DAY_S)
    usual, bound = _day(stream, span)
    seconds = binned(made.frame.at, np.where(made.frame.ok, made.frame.numbers("ttft_s"), np.nan), HOUR_S / 2)
    band = drawing.band(usual, bound, span, "grey: the baseline's day, and what its load explains above it")
    points = drawing.dots(seconds, span, "time to first token, s")
    marks = _marks(alarm, span, "a quarter slower", "alarm")
    panels = [drawing.panel([band, points, *marks], 170), _evidence(made, alarm, span)]
    return drawing.stacked("Performance: slower than the time of day and its load explain", panels)


def errors_lane() -> alt.VConcatChart:
    """An hour in which every fifth attempt fails."""
    outage = replace(SCENARIOS["outage"], behaviour=Behaviour(errors=0.14))
    made = record(simulated(outage, 3.6), ONSET - 2 * HOUR_S, step_s=120.0)
    alarm = made.first("drift", "error_class")
    span = (ONSET - 2 * HOUR_S, ONSET + 2 * HOUR_S)
    outcome = made.frame.names("outcome")
    failed = 100.0 * (outcome.codes != outcome.values.index("ok"))
    share = binned(made.frame.at, failed, 600.0, of="mean")
    curve = drawing.line(share, span, "failed attempts, %", zero=True, step=True)
    marks = _marks(alarm, span, "outage begins", "alarm")
    panels = [drawing.panel([curve, *marks], 150), _evidence(made, alarm, span)]
    return drawing.stacked("Errors: an outage is found while it lasts", panels)


def traffic_lane() -> alt.VConcatChart:
    """Users who move to other routes and longer prompts: noticed, and not taken for a change of the answers."""
    moved = Behaviour(shares=(0.25, 0.35, 0.40), prompts=1.15)
    made = record(simulated(Scenario("moved", "none", moved, everywhere=True), 4.25), ONSET - 1.4 * DAY_S, _in_one)
    notice = next(e for e in made.events if e.kind == "traffic")
    span = (ONSET - 1.4 * DAY_S, ONSET + 0.7 * DAY_S)
    prompts = binned(made.frame.at, made.frame.input_tokens, 2 * HOUR_S)
    shares = _shares(made, made.frame.group)
    shares = [(name.partition("\x1f")[2], path) for name, path in shares]
    judged = [
        ("answers judged like with like: quiet", made.evidence["output_tokens"]),
        ("without that: a false alarm", made.until_alarm(made.first("drift", "in one"))),
    ]
    marks, bare = _marks(notice, span, "users change", "notice"), _marks(notice, span)
    limit = drawing.threshold(made.threshold("output_tokens"), span)
    panels = [
        drawing.panel([drawing.lines(shares, span, "share, %"), *marks], 90),
        drawing.panel([drawing.line(prompts, span, "prompt, tokens"), *bare], 70),
        drawing.panel([drawing.line(_answers(made), span, "answer, tokens"), *bare], 70),
        drawing.panel([drawing.lines(judged, span, "evidence, log10"), limit, *bare], 110),
    ]
    return drawing.stacked("Traffic: users ask otherwise, answers grow, and nobody is blamed", panels)


def cost_lane() -> alt.VConcatChart:
    """A price list that goes up by a tenth."""
    dearer = replace(GPT_4O, input_price=1.1 * GPT_4O.input_price, output_price=1.1 * GPT_4O.output_price)
    made = record(simulated(SCENARIOS["none"], 3.7, then=dearer), ONSET - 6 * HOUR_S, step_s=120.0)
    alarm, stream = made.first("drift", "price_per_token"), made.stream("price_per_token")
    span = (ONSET - 6 * HOUR_S, ONSET + 4 * HOUR_S)
    price = rolling_median(made.frame.at, 1e6 * stream.values(made.frame), 200, 8)
    curve = drawing.line(price, span, "US$ per million tokens")
    marks = _marks(alarm, span, "prices go up by a tenth", "alarm")
    panels = [drawing.panel([curve, *marks], 150), _evidence(made, alarm, span)]
    return drawing.stacked("Cost: the price of a token jumps", panels)


def identity_lane() -> alt.VConcatChart:
    """A new snapshot that is rolled out over half a day."""
    made = record(simulated(replace(SCENARIOS["declared-update"], rollout_s=DAY_S / 2), 4.25), ONSET - 6 * HOUR_S)
    took = made.first("declared", "response_model")
    new = made.first("new_snapshot", "response_model")
    span = (ONSET - 6 * HOUR_S, ONSET + 15 * HOUR_S)
    limit = identity.LOG_THRESHOLD / recordings.LOG10
    evidence = [(at, y) for at, y in made.evidence["response_model"] if at < took.at] + [(took.at, limit)]
    marks = [drawing.rule(new.at, span, "new name: a mark", left=True), drawing.rule(took.at, span, "takes over")]
    bare = [drawing.rule(event.at, span) for event in (new, took)]
    curve = drawing.line(evidence, span, "evidence, log10", drawing.ORANGE, zero=True)
    panels = [
        drawing.panel([drawing.lines(_shares(made, made.frame.snapshot), span, "answers, %"), *marks], 150),
        drawing.panel([curve, drawing.threshold(limit, span, "a million to one"), *bare], 110),
    ]
    return drawing.stacked("Identity: a declared name takes over when most calls surely carry it", panels)


LANES: Mapping[str, Callable[[], alt.VConcatChart]] = {
    "content": content_lane,
    "performance": performance_lane,
    "errors": errors_lane,
    "traffic": traffic_lane,
    "cost": cost_lane,
    "identity": identity_lane,
}


def draw(lane: str, folder: Path = FOLDER) -> Path:
    """Write the picture of one lane as SVG."""
    path = folder / f"lane-{lane}.svg"
    LANES[lane]().save(str(path), format="svg")
    return path


def _answers(made: Recording) -> recordings.Path:
    return rolling_median(made.frame.at, np.where(made.frame.content, made.frame.output_tokens, np.nan), 400, 25)


def _day(stream: Stream, span: drawing.Range) -> tuple[recordings.Path, recordings.Path]:
    """What the baseline's curve says for each hour, and the largest slowness that counts for none."""
    assert stream.curve is not None  # noqa: S101  latencies have one
    assert isinstance(stream.heads[0], Number)  # noqa: S101  and are numbers
    at: FloatArray = np.arange(span[0], span[1] + 1, HOUR_S)
    usual = 1 / performance.relative(at, np.ones(len(at)), stream.curve)
    bound = usual * (1 + stream.heads[0].tolerance)
    return list(zip(at.tolist(), usual.tolist(), strict=True)), list(zip(at.tolist(), bound.tolist(), strict=True))


def _shares(made: Recording, column: Names) -> list[tuple[str, recordings.Path]]:
    """The share (%) of each value of a column among the spans that have one."""
    known = np.where(column.codes >= 0, 0.0, np.nan)
    found = [(name, code) for code, name in enumerate(column.values) if (column.codes == code).any()]
    every_s = 3 * HOUR_S if len(found) > 2 else HOUR_S
    return [
        (name, binned(made.frame.at, known + 100.0 * (column.codes == code), every_s, of="mean"))
        for name, code in sorted(found)
    ]


def _in_one(watch: TargetWatch) -> Sequence[Stream]:
    """The length of answers as a detector without strata sees it."""
    assert watch.baseline is not None  # noqa: S101  it is asked once there is one

    def alike(frame: object) -> tuple[Names, FloatArray]:
        n = len(frame)  # type: ignore[arg-type]
        return Names(np.zeros(n, np.int64), ("all",)), np.full(n, np.nan)

    return [Stream.learn(replace(CONTENT[0], name="in one", conditions=alike), watch.baseline)]


def _marks(told: Event, span: drawing.Range, planted: str = "", called: str = "") -> list[alt.LayerChart]:
    return [drawing.rule(ONSET, span, planted, left=True), drawing.rule(told.at, span, called)]


def _evidence(made: Recording, alarm: Event, span: drawing.Range) -> alt.LayerChart:
    subject = alarm.subject.partition("=")[0]
    curve = drawing.line(made.until_alarm(alarm), span, "evidence, log10", drawing.ORANGE, zero=True)
    return drawing.panel([curve, drawing.threshold(made.threshold(subject), span), *_marks(alarm, span)], 110)
