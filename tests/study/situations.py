"""What docs/detection.md tells of situations: simulated through the store and the watcher, a line each.

python tests/study/situations.py length|pools|recovery|tenants|weeks [SEEDS]

`length`: requests until a change of the length of real answers is found, with its other measures and without. `pools`:
hours until an update at quiet siblings is found. `recovery`: hours from the end of a change until its signals are known
to be back. `tenants`: what a burst of one tenant and an update among tenants come
to. `weeks`: notices and incidents of three weeks whose weekends differ. More seeds take longer and tell more.
"""

import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.study import resampled
from tests.study.compare import replayed
from tests.watch.conftest import Monitor

from undertow.config import BaselineConfig, Config, DetectConfig
from undertow.span import Span
from undertow_collectors.scenarios import CLAUDE_SONNET, DAY_S, GPT_4O, SCENARIOS, Scenario
from undertow_collectors.simulate import EPOCH, traffic

TABLE = {"2 x 60": (2, 60, 21), "4 x 60": (4, 60, 12), "6 x 60": (6, 60, 9), "12 x 60": (12, 60, 6)}
"""So many siblings with so many requests a day each, and the day on which they change."""


def judged(spans: Sequence[Span], min_hours: float = 48.0) -> Monitor:
    """What a monitor at its defaults makes of a log."""
    return Monitor(Config(detect=DetectConfig(baseline=BaselineConfig(min_hours=min_hours)))).finish(spans)


def length(seeds: int) -> Iterator[str]:
    """Median of the requests until a change is found, and how many were missed."""
    with tempfile.TemporaryDirectory() as folder:
        resampled.write(Path(folder), seeds)
        for kind in ("length-minus-10", "length-plus-5"):
            for adjusted in ("true", "false"):
                found = [
                    _delay(replayed(file, UNDERTOW_DETECT__SIGNALS__ADJUSTED_OUTPUT_TOKENS__ENABLED=adjusted))
                    for file in sorted(Path(folder).glob(f"{kind}.*.jsonl"))
                ]
                known = [delay for delay in found if delay is not None]
                told = f"{median(known):,.0f}" if known else "never"
                missed = f"{len(found) - len(known)} of {len(found)} missed"
                yield f"{kind}, other measures {adjusted}: after {told}, {missed}"


def _delay(incidents: Sequence[dict[str, Any]]) -> int | None:
    return min((int(i["opened_after_spans"]) - resampled.BEFORE for i in incidents), default=None)


def pools(seeds: int) -> Iterator[str]:
    """Hours from a silent update of every sibling until it is found."""
    for name, (siblings, per_day, onset) in TABLE.items():
        fleet = [replace(GPT_4O, deployment=f"d{i}") for i in range(siblings)]
        update = replace(SCENARIOS["silent-update"], everywhere=True)
        found = [_opened(_log(update, seed, onset + 7, onset, per_day, fleet)) for seed in range(1, seeds + 1)]
        hours = [(at - EPOCH - onset * DAY_S) / 3600 for at in found if at]
        yield f"{name}: found in {len(hours)} of {seeds}, after {', '.join(f'{h:.0f}' for h in hours)} h"


def recovery(seeds: int) -> Iterator[str]:
    """Of twelve hours of another model, and of an hour of failures in the night."""
    for name, lasts_s in (("silent-update", DAY_S / 2), ("outage", 3600.0)):
        over = EPOCH + 3 * DAY_S + lasts_s
        for seed in range(1, seeds + 1):
            scenario = replace(SCENARIOS[name], lasts_s=lasts_s)
            incidents = judged(_log(scenario, seed, 6, 3, 2500, (GPT_4O, CLAUDE_SONNET))).store.incidents()
            signals = [signal for incident in incidents for signal in incident["signals"]]
            back = {s["signal"]: f"{(s['recovered_at'] - over) / 3600:.0f} h" for s in signals if s.get("recovered_at")}
            yield f"{name}: {back}, {[incident['status'] for incident in incidents]}"


def tenants(seeds: int) -> Iterator[str]:
    """Causes of the incidents of each log."""
    update = replace(SCENARIOS["silent-update"], tenants=40)
    for name, scenario in (("tenant-burst", SCENARIOS["tenant-burst"]), ("silent-update, 40 tenants", update)):
        runs = [_log(scenario, seed, 4, 3, 2500, (GPT_4O, CLAUDE_SONNET)) for seed in range(1, seeds + 1)]
        yield f"{name}: {[[i['cause'] for i in judged(run).store.incidents()] for run in runs]}"


def weeks(seeds: int) -> Iterator[str]:
    """Notices and incidents by how long and from which day the baseline was collected."""
    for hours, day, name in ((168, 0, "Monday"), (48, 0, "Monday"), (48, 4, "Friday"), (48, 5, "Saturday")):
        notices, lanes = 0, []
        for seed in range(1, seeds + 1):
            start = EPOCH + day * DAY_S
            made = traffic(SCENARIOS["weekly"], seed, start=start, days=21, per_day=2500, fleet=(GPT_4O, CLAUDE_SONNET))
            run = judged(list(made), hours)
            notices += len(run.store.notices())
            lanes += [incident["lane"] for incident in run.store.incidents()]
        yield f"{hours} h from a {name}: {2 * seeds} targets, {notices} notices, incidents {lanes}"


def _log(scenario: Scenario, seed: int, days: float, onset: float, per_day: float, fleet: Any) -> list[Span]:
    return list(traffic(scenario, seed, days=days, onset_days=onset, per_day=per_day, fleet=fleet))


def _opened(spans: Sequence[Span]) -> float | None:
    return min((incident["opened_at"] for incident in judged(spans).store.incidents()), default=None)


STUDIES: dict[str, Callable[[int], Iterator[str]]] = {f.__name__: f for f in (length, pools, recovery, tenants, weeks)}


def main(name: str = "", seeds: str = "5") -> None:
    """Print one study."""
    if name not in STUDIES:
        raise SystemExit(f"situations: no study {name!r}; there are {', '.join(STUDIES)}")
    for line in STUDIES[name](int(seeds)):
        print(line, flush=True)  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
