"""What a monitor's reports on labelled streams are worth.

A stream's truth names the target it speaks of, the request (`onset`) from which on something differs, the `cause` and
the `lanes` that changed; `gradual` is how many requests the change took. Every incident is an alarm, on any target. One
within WITHIN requests after the onset, in a lane that changed, is a hit; one before the onset, on another target, or
where the provider changed nothing, is false. The first REFERENCE requests are there to learn
from. A hidden shift of the traffic without controls (`unidentifiable`) is in no figure: nothing passive can tell it
from a change.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

WITHIN = 5_000
REFERENCE = 10_000
UNCHANGED = frozenset({"none", "traffic_mix", "unidentifiable"})

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Row:
    """What one report on one stream came to; `delay` is in requests after the onset, infinite without a hit."""

    name: str
    spans: int
    cause: str
    changed: bool
    false: int
    exposure: int
    blamed: bool
    delay: float
    labelled: bool
    wrong_lane: bool

    @property
    def hit(self) -> bool:
        """Whether the change was found in time and in its lane."""
        return math.isfinite(self.delay)


def judge(truth: Json, incidents: Sequence[Json]) -> Row:
    """Score the incidents that one monitor opened on one stream."""
    onset, cause, lanes = truth["onset"], truth["cause"], truth["lanes"]
    changed = cause not in UNCHANGED
    own = sorted((i for i in incidents if _concerns(i, truth["target"])), key=lambda i: i["opened_after_spans"])
    astray = [i for i in incidents if not _concerns(i, truth["target"])]
    early = [i for i in own if i["opened_after_spans"] <= onset]
    late = [i for i in own if i["opened_after_spans"] > onset]
    until = onset + WITHIN + truth["gradual"]
    hits = [i for i in late if lane(i) in lanes and i["opened_after_spans"] <= until]
    false = [*astray, *early, *([] if changed else late)]
    return Row(
        name=truth["name"],
        spans=truth["spans"],
        cause=cause,
        changed=changed,
        false=len(false),
        exposure=max(0, (onset if changed else truth["spans"]) - min(REFERENCE, onset)),
        blamed=any(i["cause"] == "provider_update" for i in [*astray, *late]),
        delay=hits[0]["opened_after_spans"] - onset if hits else math.inf,
        labelled=bool(hits) and hits[0]["cause"] in ({cause, "provider_update"} if cause == "unresolved" else {cause}),
        wrong_lane=bool(lanes) and any(lane(i) not in lanes for i in late),
    )


def lane(incident: Json) -> str:
    """The lane that an incident's cause belongs to."""
    return "performance" if incident["cause"] == "infrastructure" else "content"


def figures(rows: Sequence[Row]) -> dict[str, float]:
    """The figures by which monitors are compared: shares in 0 to 1, delays in requests, NaN where no stream tells."""
    quiet = [r for r in rows if r.cause == "none"]
    mixed = [r for r in rows if r.cause == "traffic_mix"]
    changed = [r for r in rows if r.changed]
    swaps = [r for r in changed if r.name.startswith("swap")]
    hits = _share(r.hit for r in changed)
    return {
        "false_per_10k": 1e4 * _ratio(sum(r.false for r in quiet), sum(r.exposure for r in quiet)),
        "mix_alarmed": _share(r.false > 0 for r in mixed),
        "mix_blamed": _share(r.blamed for r in mixed),
        "swaps_hit": _share(r.hit for r in swaps),
        "swap_median_delay": median(r.delay for r in swaps) if swaps else math.nan,
        "labelled_right": _share(r.labelled for r in changed if r.hit),
        "wrong_lane": _share(r.wrong_lane for r in changed),
        "hit_minus_false": hits - _share(r.false > 0 for r in [*quiet, *mixed]),
    }


def delays(rows: Sequence[Row]) -> dict[str, float]:
    """The median delay of each kind of change; infinite where most were missed."""
    kinds = sorted({r.name.partition(".")[0] for r in rows if r.changed})
    return {kind: median(r.delay for r in rows if r.name.partition(".")[0] == kind) for kind in kinds}


def table(results: Mapping[str, Sequence[Row]]) -> str:
    """One line for each monitor."""
    every = {monitor: figures(rows) for monitor, rows in results.items()}
    names = list(next(iter(every.values())))
    lines = [f"{'':18}" + "".join(f"{name:>18}" for name in names)]
    lines += [f"{monitor:18}" + "".join(f"{f[name]:>18.3g}" for name in names) for monitor, f in every.items()]
    return "\n".join(lines)


def _concerns(incident: Json, target: Json) -> bool:
    told = incident.get("target", target)
    return all(told[key] == target[key] for key in ("provider", "model"))


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else math.nan


def _share(flags: Any) -> float:
    listed = list(flags)
    return _ratio(sum(listed), len(listed))
