"""`undertow serve` killed while it lowers weights: feed, incidents, audit trail and announcements agree ever after."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.serve.weights import BEFORE_COMMIT, CONFIG, MODELS, POINTS, Fleet
from tests.served import Inbox

Make = Callable[..., Fleet]


@pytest.fixture(name="fleet")
def _fleet(live: Any, inbox: Inbox, configure: Callable[..., None]) -> Iterator[Make]:
    made: list[Fleet] = []

    def fleet(**plan: Any) -> Fleet:
        configure(CONFIG.format(url=inbox.url, dwell_s=100_000))
        made.append(Fleet(live, inbox, **plan))
        return made[-1]

    yield fleet
    for one in made:
        one.close()


def test_kills_keep_weights_and_incidents_together(fleet: Make) -> None:
    """At every point of the way of one change: the next process goes on, and it is told once, under one version."""
    one = fleet()
    for at in POINTS:
        one.armed(at)
        if at == POINTS[0]:
            one.change(MODELS[0])
        one.life.killed()
        assert at not in BEFORE_COMMIT or [seen.version for seen in one.reader.seen] == [1]
    one.next()
    one.settled()
    assert one.faults() == []
    assert list(one.entries()) == list(one.lowered()) == MODELS[:1]
    assert len(one.audit()) == len(one.announced()) == 1
    assert [seen.version for seen in one.reader.seen] == [1, 2]


@pytest.mark.parametrize(
    ("broken", "at", "noticed"),
    [
        ("publishes_first", "before_judgement", " after "),
        ("counts_anew", "after_record", " after "),
        ("audits_apart", "before_judgement", "on record"),
    ],
)
def test_a_monitor_that_tells_apart_is_noticed(fleet: Make, broken: str, at: str, noticed: str) -> None:
    """Negative control: a feed shown before it is kept, a version that is forgotten, an audit of its own."""
    one = fleet(broken=[broken])
    one.armed(at, broken=[broken])
    one.change(MODELS[0])
    one.life.killed()
    one.next(broken=[broken])
    one.life.until(lambda: MODELS[0] in one.entries())
    one.change(MODELS[1])
    one.life.until(lambda: MODELS[1] in one.entries())
    assert any(noticed in fault for fault in one.faults())
