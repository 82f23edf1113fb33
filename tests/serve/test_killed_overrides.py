"""`undertow serve` killed while people and time move weights: what was answered holds, and a pause is no calm."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.serve.weights import BEFORE_COMMIT, CONFIG, MODELS, POINTS, SENDING, Fleet, until
from tests.served import Inbox

Make = Callable[..., Fleet]
DWELL_S = 20.0
HOUR_S = 3600.0


@pytest.fixture(name="fleet")
def _fleet(live: Any, inbox: Inbox, configure: Callable[..., None]) -> Iterator[Make]:
    made: list[Fleet] = []

    def fleet(dwell_s: float = 100_000.0, **plan: Any) -> Fleet:
        configure(CONFIG.format(url=inbox.url, dwell_s=dwell_s))
        made.append(Fleet(live, inbox, **plan))
        return made[-1]

    yield fleet
    for one in made:
        one.close()


def nth(at: str) -> int:
    """Which message a life is to end at: the first one sent is what the life before had not recorded."""
    return 2 if at in SENDING else 1


def override(one: Fleet, model: str, ends: float) -> Any:
    """What somebody gets who sets the weight of a model; None where the process ended instead of answering."""
    target = {"gateway": "edge", "provider": "openai", "model": model}
    wanted = {"target": target, "multiplier": 0.3, "until": ends, "by": "kim", "reason": "they called"}
    return one.life.post("/v1/weights/overrides", wanted)


def test_kills_keep_overrides_until_their_ends(fleet: Make, live: Any) -> None:
    """At every point: an override that was answered stands, with its end and author; all agree on those that do."""
    one, ends = fleet(), until(live, 10 * HOUR_S)
    kept: list[str] = []

    def stands() -> bool:
        said = one.life.get("/v1/weights/overrides")["overrides"]
        one.settled()
        assert one.faults() == []
        return [(o["target"]["model"], o["until"], o["by"]) for o in said] == [(m, ends, "kim") for m in kept]

    for at, model in zip(POINTS, MODELS, strict=False):
        one.armed(at, nth=nth(at))
        assert stands()
        answered = override(one, model, ends)
        one.life.killed()
        if at not in BEFORE_COMMIT:
            kept.append(model)
        assert answered is None or model in kept
    one.next()
    assert stands()


def test_kills_between_steps_start_the_dwell_anew(fleet: Make, live: Any) -> None:
    """At every point of a step down: it is taken once, and not before a whole dwell after the start of the process."""
    one = fleet(DWELL_S)
    one.change(MODELS[0])
    one.life.until(lambda: MODELS[0] in one.entries())
    for at in POINTS:
        started = until(live, 0.0)
        one.armed(at, nth=nth(at))
        one.life.killed()
        assert until(live, 0.0) >= started + DWELL_S
    one.next()
    step = one.entries()[MODELS[0]]["step"]
    one.settled()
    assert one.faults() == []
    taken = [change["step"] for change in one.audit()]
    assert taken == list(range(1, step + 1))


def test_an_override_that_is_forgotten_is_noticed(fleet: Make, live: Any) -> None:
    """Negative control: a monitor that keeps them in memory, and the count of versions with them."""
    one, ends = fleet(broken=["counts_anew"]), until(live, HOUR_S)
    one.armed("after_record", broken=["counts_anew"])
    assert override(one, MODELS[0], ends)
    one.life.killed()
    one.next(broken=["counts_anew"])
    one.life.until(lambda: MODELS[0] not in one.entries())
    override(one, MODELS[1], ends)
    one.settled()
    assert any("is two things" in fault for fault in one.faults())
