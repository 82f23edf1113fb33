"""`undertow serve` killed between decide, store, send and record: what stands is posted until its end is.

Alertmanager forgets what is not posted again, so an alert that nobody posts ends by itself while its incident stands,
and one whose end is lost is told of as long as it is remembered.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from tests.served import Inbox, changed, lines

MODELS = ["model-0", "model-1"]
SENDING = ("before_send", "after_send", "before_record", "after_record")
POINTS = ("before_judgement", "before_judgement_commit", "after_judgement", *SENDING)
OPENED, RESOLVED = "llm.drift.opened", "llm.drift.resolved"
SPEED = 20.0
LOST_S = 2.5
"""Real seconds, in which an alert that stands is posted five times; what does not come in them is lost."""
CONFIG = """\
[alerts]
allow_hosts = ["127.0.0.1"]
[[alerts.alertmanager]]
name = "a"
url = "{url}"
repost_s = 10
"""


class Run:
    """Lives of a monitor with an open incident of each model, and what Alertmanager hears of them."""

    def __init__(self, live: Any, inbox: Inbox) -> None:
        self._live, self._inbox = live, inbox
        self.life = live(speed=SPEED)
        assert self.life.post("/v1/spans", lines(changed(MODELS)))
        self.life.until(lambda: all(self.posts(model) for model in MODELS))
        listed = self.life.get("/v1/incidents")["incidents"]
        self.incidents = {one["target"]["model"]: one["id"] for one in listed}

    def posts(self, model: str) -> list[str]:
        """What each post says of the alert of a model: that it `stands`, or is `over`."""
        alerts = [(post.at, *post.json) for post in list(self._inbox.posts)]
        return [self._says(alert, at) for at, alert in alerts if alert["labels"]["model"] == model]

    def _says(self, alert: dict[str, Any], at: float) -> str:
        ends_at = datetime.fromisoformat(alert["endsAt"]).timestamp()
        return "stands" if ends_at > self._live.clock(at) else "over"

    def next(self, **plan: Any) -> None:
        """The next life."""
        self.life = self._live(speed=SPEED, **plan)

    def resolve(self, model: str) -> bool:
        """Somebody resolves the incident of a model; whether that was answered."""
        return self.life.post(f"/v1/incidents/{self.incidents[model]}/resolve") is not None

    def is_open(self, model: str) -> bool:
        """Whether the incident still stands."""
        return bool(self.life.get(f"/v1/incidents/{self.incidents[model]}")["status"] == "open")

    def hears_that_it_stands(self, model: str, deadline_s: float = 30.0) -> None:
        """Wait for the next post of an alert, which says that."""
        heard = len(self.posts(model))
        self.life.until(lambda: self.posts(model)[heard:], deadline_s)
        assert self.posts(model)[heard] == "stands"

    def hears_the_end(self, model: str, deadline_s: float = 30.0) -> None:
        """Wait until a post says that an alert is over."""
        self.life.until(lambda: "over" in self.posts(model), deadline_s)

    def killed_while_resolving(self, at: str, model: str, **plan: Any) -> None:
        """A life that ends at this point of the way of the end of the incident of `model`, and the one after."""
        self.next(at=at, kind=RESOLVED, of=self.incidents[model], **plan)
        self.resolve(model)
        self.life.killed()
        self.next(**plan)


@pytest.fixture(name="run")
def _run(live: Any, inbox: Inbox, configure: Callable[..., None]) -> Run:
    configure(CONFIG.format(url=inbox.url))
    return Run(live, inbox)


def test_kills_lose_no_end_and_what_stands_is_posted_on(run: Run) -> None:
    """At every point of the way of one end: what still stands is posted by the next process, the end arrives, once."""
    for at in POINTS:
        run.next(at=at, kind=RESOLVED, of=run.incidents[MODELS[0]])
        if at not in SENDING:
            run.hears_that_it_stands(MODELS[0])
            run.resolve(MODELS[0])
        run.life.killed()
    run.next()
    run.hears_that_it_stands(MODELS[1])
    said = run.posts(MODELS[0])
    assert said == sorted(said, reverse=True), "once over, never said to stand"
    assert said.count("over") == 3, "told again only where its record was lost: by the kills after sending"


def test_kills_while_posting_again_end_no_posting(run: Run) -> None:
    """At every point: the alert at hand and the others are posted by the next process, as standing, until they end."""
    for at in SENDING:
        run.next(at=at, kind=OPENED, of=run.incidents[MODELS[0]])
        run.life.killed()
    run.next()
    for model in MODELS[:2]:
        run.hears_that_it_stands(model)
    assert run.resolve(MODELS[0])
    run.hears_the_end(MODELS[0])


@pytest.mark.parametrize(
    ("broken", "at"),
    [("sends_apart", "before_judgement"), ("records_first", "before_send")],
    ids=["messages in a transaction of their own", "recorded before they are sent"],
)
def test_an_end_that_is_lost_is_noticed(run: Run, broken: str, at: str) -> None:
    """Negative control: a monitor that keeps message and incident apart, or message and record, loses the end."""
    run.killed_while_resolving(at, MODELS[0], broken=[broken])
    assert not run.is_open(MODELS[0])
    with pytest.raises(AssertionError, match="still not so"):
        run.hears_the_end(MODELS[0], LOST_S)


def test_an_alert_that_is_posted_from_memory_is_noticed(run: Run) -> None:
    """Negative control: a monitor that does not keep what it has to post again is silent after a kill."""
    run.next(broken=["remembers"], at="after_record", kind=OPENED, of=run.incidents[MODELS[0]])
    run.life.killed()
    run.next(broken=["remembers"])
    with pytest.raises(AssertionError, match="still not so"):
        run.hears_that_it_stands(MODELS[0], LOST_S)
