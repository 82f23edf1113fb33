"""A broker that goes away and comes back, under `undertow serve`: missing data is told, shown, and over when it is."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook
from tests.served import DEADLINE_S, Inbox, spans

SECRET = "whsec_QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY="
CONFIG = """\
[kafka]
bootstrap_servers = "{bootstrap}"
topics = ["{topic}"]
api_version = "{api_version}"
[alerts]
allow_hosts = ["127.0.0.1"]
[[alerts.webhook]]
url = "{url}/hook"
secret = "{secret}"
"""


Start = Callable[..., tuple[Any, str]]


def values(first: int, count: int, now: float) -> list[bytes]:
    """Calls of one target, the last of which ended at `now`."""
    start = now - 1.5 - (first + count - 1)
    return [json.dumps(one).encode() for one in spans("gpt-4", range(first, first + count), start=start, every_s=1.0)]


def told(inbox: Inbox, why: str) -> list[dict[str, Any]]:
    """The data of every `llm.data.stale` for this reason, which is signed; a clock that runs ahead is no matter."""
    posts = [post for post in list(inbox.posts) if post.json["type"] == "llm.data.stale"]
    for post in posts:
        at = datetime.fromtimestamp(int(post.headers["webhook-timestamp"]), UTC)
        signature = Webhook(SECRET).sign(post.headers["webhook-id"], at, post.body.decode())
        assert post.headers["webhook-signature"] == signature
    return [data for data in (post.json["data"] for post in posts) if data["why"] == [why]]


@pytest.fixture(name="monitor")
def _monitor(mock_kafka: Any, live: Any, inbox: Inbox, configure: Callable[..., None]) -> Start:
    """Starts a monitor that reads a topic of the embedded broker; gives both."""

    def start(speed: float) -> tuple[Any, str]:
        topic = mock_kafka.topic()
        broker = {"bootstrap": mock_kafka.bootstrap, "api_version": mock_kafka.api_version}
        configure(CONFIG.format(topic=topic, url=inbox.url, secret=SECRET, **broker), lateness_s=1.0)
        return live(speed=speed), topic

    return start


def readiness(life: Any) -> tuple[int, str]:
    """The status of /readyz, and what it says of the source."""
    answer: httpx.Response = life.client.get("/readyz")
    return answer.status_code, next(part["state"] for part in answer.json()["parts"] if part["part"] == "source")


def test_a_broker_that_goes_away_is_told_and_its_return_too(
    monitor: Start, mock_kafka: Any, live: Any, inbox: Inbox
) -> None:
    """One signed message that names the source, 503 while it lasts, and one that it is over; then reading goes on."""
    life, topic = monitor(speed=20.0)
    why = "source_unreachable"
    life.until(lambda: readiness(life) == (200, "running"))
    mock_kafka.produce(topic, values(0, 1200, live.clock(time.time())))
    life.until(lambda: [row["spans"] for row in life.get("/v1/targets")["targets"]] == [1200])
    assert readiness(life) == (200, "running")
    before = len(told(inbox, why))  # a busy machine may have taken long to connect
    mock_kafka.down()
    [began] = life.until(lambda: told(inbox, why)[before:], 2 * DEADLINE_S)
    assert (began["status"], began["severity"]) == ("open", "critical")
    assert "broker_unavailable" in began["text"]
    assert readiness(life) == (503, "broker_unavailable")
    mock_kafka.up()
    mock_kafka.produce(topic, values(1200, 10, live.clock(time.time())))
    [over] = life.until(lambda: told(inbox, why)[before + 1 :])
    assert (over["alert_id"], over["status"], over["reason"]) == (began["alert_id"], "resolved", "heard_again")
    life.until(lambda: readiness(life) == (200, "running"))
    life.until(lambda: [row["spans"] for row in life.get("/v1/targets")["targets"]] == [1210])


def test_a_target_that_nobody_hears_is_shown_and_told(monitor: Start, mock_kafka: Any, live: Any, inbox: Inbox) -> None:
    """The broker is there and brings nothing: stale in /v1/targets, told once, and over with the next calls."""
    life, topic = monitor(speed=30.0)
    why = "target_silent"
    life.until(lambda: readiness(life) == (200, "running"))

    def state() -> list[str]:
        return [row["state"] for row in life.get("/v1/targets")["targets"]]

    mock_kafka.produce(topic, values(0, 1200, live.clock(time.time())))
    life.until(lambda: state() == ["ok"])
    life.until(lambda: state() == ["stale"])
    [began] = life.until(lambda: told(inbox, why))
    assert (began["target"]["model"], began["severity"]) == ("gpt-4", "warning")
    assert readiness(life) == (200, "running")
    mock_kafka.produce(topic, values(1200, 20, live.clock(time.time())))
    [over] = life.until(lambda: told(inbox, why)[1:])
    assert (over["alert_id"], over["status"]) == (began["alert_id"], "resolved")
    assert state() == ["ok"]
