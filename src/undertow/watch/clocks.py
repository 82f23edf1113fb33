"""Wrong clocks and late spans: what comes too late to be judged, or is held until event time reaches it, is told.

`llm.data.late` opens when a share of the latest arrivals is late, or a source's clock is ahead, and ends by itself. The
state is a function of the store, so that `/readyz`, pages and the alert say the same.
"""

import logging
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from undertow.clock import Clock, utc
from undertow.config import Config
from undertow.span import in_one_word
from undertow.store import Store
from undertow.watch.dataalert import LATE, DataAlerts, Trouble

LATE_SPANS, CLOCK_AHEAD = "late_spans", "clock_ahead"
LEAST_ARRIVALS = 100
"""Of fewer, five late ones say nothing of a share."""
SHARE, SHARE_OVER = 0.05, 0.01
"""Detectors find changes of a few per cent of the answers: so much must not be missing. It is over at a fifth of it."""
LEAST_AHEAD = 3
"""Spans of one source among the latest arrivals that are ahead, or of those together that are seldom heard."""
SELDOM = "sources that are seldom heard"

log = logging.getLogger(__name__)


class Clocks:
    """Tells of wrong clocks and late spans; `tick` is called every now and then, from one thread."""

    def __init__(self, store: Store, config: Config, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._alerts = DataAlerts(store, config, LATE)

    def tick(self) -> None:
        """Look once, and commit what changed."""
        now = self._clock()
        wrong = {one.key: one for one in found(self._store, now, self._alerts.standing)}
        change = self._alerts.change(wrong, wrong)
        if not any(change):
            return
        with self._alerts.committing(change, now) as transaction:
            for one in change.begun.values():
                transaction.put_notice(notice(one, self._store))
        for one in change.begun.values():
            log.warning("late: %s", one.text)
        for key in change.over:
            log.info("in time again: %s", key)


def found(store: Store, now: float | None = None, standing: Collection[str] = ()) -> list[Trouble]:
    """What is wrong at the moment, since `now`; what is `standing` is wrong until hardly anything of it is left."""
    told = store.lateness()
    since = told["event_time"] or 0.0 if now is None else now
    return [*_late(told, since, standing), *_ahead(told["ahead"], since, standing)]


def notice(one: Trouble, store: Store) -> dict[str, Any]:
    """As GET /v1/notices and `replay --json` tell it, at the event time that was agreed on."""
    return {"kind": one.why, "target": dict(one.target or {}), "at": store.event_time() or one.since, "text": one.text}


def blind(store: Store) -> bool:
    """Whether everything that came lately came too late to be judged."""
    late = store.lateness()["late"]
    return bool(late["of"] >= LEAST_ARRIVALS and late["spans"] == late["of"])


def _late(told: Mapping[str, Any], since: float, standing: Collection[str]) -> Iterator[Trouble]:
    late = told["late"]
    key = f"{LATE_SPANS} arrivals"
    least = SHARE_OVER if key in standing else SHARE
    if late["of"] < LEAST_ARRIVALS or late["spans"] < least * late["of"]:
        return
    whose = ", ".join(f"{name(one)} ({_long(one['behind_s'])} behind)" for one in late["sources"][:3])
    at = told["event_time"]
    yield Trouble(
        LATE_SPANS,
        "arrivals",
        since,
        f"{late['spans']:,} of the last {late['of']:,} spans came too late to be judged, of {whose}: clocks had come "
        f"to {utc(at)}, and what ended more than detect.lateness_s before that is not judged; if they were ahead "
        "and are right again, this ends by itself at that time",
    )


def _ahead(told: Collection[Mapping[str, Any]], since: float, standing: Collection[str]) -> Iterator[Trouble]:
    seldom = []
    for one in told:
        subject = name(one)
        if one["recent"] >= (1 if f"{CLOCK_AHEAD} {subject}" in standing else LEAST_AHEAD):
            text = (
                f"the clock of {subject} is {_long(one['ahead_s'])} ahead of the others: {one['spans']:,} of its "
                "latest spans came before their time, and are judged when the others have come as far; set that clock"
            )
            yield Trouble(CLOCK_AHEAD, subject, since, text, one["target"])
        elif one["recent"]:
            seldom.append(one)
    yield from _seldom(seldom, since, standing)


def _seldom(told: Sequence[Mapping[str, Any]], since: float, standing: Collection[str]) -> Iterator[Trouble]:
    """Sources of a few spans each are told together, or names without end would hide a wrong clock."""
    count = sum(one["recent"] for one in told)
    if count >= (1 if f"{CLOCK_AHEAD} {SELDOM}" in standing else LEAST_AHEAD):
        text = (
            f"clocks are ahead of the others, such as that of {name(told[0])} by {_long(told[0]['ahead_s'])}: of "
            f"{len(told)} sources or more that are seldom heard, the spans are held, and judged when the others have "
            "come as far; set those clocks"
        )
        yield Trouble(CLOCK_AHEAD, SELDOM, since, text)


def name(source: Mapping[str, Any]) -> str:
    """Whose clock it is: a host, or a target in one word."""
    if source["host"]:
        return f"host {source['host']}"
    return in_one_word(source["target"])


def _long(seconds: float) -> str:
    if not math.isfinite(seconds):
        return "unknown"
    for unit, size in (("days", 86400.0), ("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:,.0f} {unit}"
    return f"{seconds:.0f} s"
