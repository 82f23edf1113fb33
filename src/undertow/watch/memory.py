"""Are answers still as they were 90 days ago? The last days against every baseline that a target was ever judged by.

A baseline that is accepted anew after each small change forgets where it began. The former ones are kept, so what came
of all changes together can still be told. This is a comparison of two samples when somebody asks, not a watch: the
intervals are of 95 % each, without regard to how many are told.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from undertow.span import Target
from undertow.watch import signals, sizing
from undertow.watch.baseline import DAY_S, Baseline, thin
from undertow.watch.frame import Frame, Lookup
from undertow.watch.stream import Stream
from undertow.watch.target import TargetWatch
from undertow_detectors.effect import Effect

Document = dict[str, Any]
Former = Callable[[Target], Sequence[Baseline]]

LANES = ("content", "performance")


def told(watches: Sequence[TargetWatch], former: Former, until: float | None, days: float, lookup: Lookup) -> Document:
    """Every signal of every target and baseline; `until` is how far spans were judged (Unix s), None for not yet."""
    rows = [] if until is None else [row for watch in watches for row in _rows(watch, former, until, days, lookup)]
    return {"days": days, "until": until, "signals": rows}


def _rows(watch: TargetWatch, former: Former, until: float, days: float, lookup: Lookup) -> Iterator[Document]:
    now = lookup(watch.target, until - days * DAY_S, until)
    if now is None or not len(now):
        return
    now, known = thin(now), [*former(watch.target), *([watch.baseline] if watch.baseline else [])]
    for baseline in known:
        place = {
            "target": watch.target.as_dict(),
            "baseline_version": baseline.number,
            "baseline_start": baseline.start,
            "baseline_end": baseline.end,
        }
        after = now[now.at > baseline.end]  # a baseline is not compared with itself
        for signal in signals.of(baseline.frame):
            if signal.lane in LANES and len(after):
                yield from (place | row for row in _signal(signal, baseline, after))


def _signal(signal: signals.Signal, baseline: Baseline, after: Frame) -> Iterator[Document]:
    stream = Stream.learn(signal, baseline)
    if not stream.sufficient:
        return
    for head in stream.heads:
        found = stream.change(after, head.subject)
        if found is not None:
            yield {"signal": head.subject, "lane": signal.lane, "effect": sizing.told(found), "changed": _surely(found)}


def _surely(found: Effect) -> bool:
    """Whether the interval leaves out "no change"."""
    nothing = 1.0 if found.name == "ratio" else 0.0
    return not found.ci95[0] <= nothing <= found.ci95[1]
