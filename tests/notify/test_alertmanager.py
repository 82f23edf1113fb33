"""A real Alertmanager at the other end of the outbox."""

import json
import random
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.alertmanager_process import Alertmanager
from tests.notify.render import DASHBOARD
from tests.notify.test_payloads import HOSTILE

from undertow.channels import AlertmanagerConfig
from undertow.clock import ManualClock
from undertow.config import AlertsConfig
from undertow.notify.alertmanager import MISSED_POSTS, send
from undertow.notify.egress import Egress, Guard
from undertow.notify.message import Outgoing, body
from undertow.notify.outbox import Deliverer, plan
from undertow.store import Store

pytestmark = pytest.mark.collector

REPOST_S = 60.0


class Line:
    """An outbox before an Alertmanager, which notifies `told`."""

    def __init__(self, store: Store, there: Alertmanager, receiver: Any) -> None:
        self.there = there
        self.clock = ManualClock(time.time())
        self._store, self._receiver = store, receiver
        config = AlertmanagerConfig(name="a", url=there.url, repost_s=REPOST_S, labels={"team": "ml"})
        self._alerts = AlertsConfig(alertmanager=[config], allow_hosts=["127.0.0.1"], dashboard_url=DASHBOARD)
        self._deliverer = Deliverer(store, self._alerts, self.clock, random.Random(1))

    def tell(self, kind: str, incident: dict[str, Any]) -> None:
        """A transition, now, and all that is due."""
        with self._store.judgement() as judgement:
            for entry in plan(f"llm.drift.{kind}", incident, self._alerts, self.clock()):
                judgement.put_outgoing(entry)
        self._deliverer.step(self.clock())

    def later(self, seconds: float) -> None:
        """All that is due then."""
        self.clock.advance(seconds)
        self._deliverer.step(self.clock())

    def told(self) -> list[tuple[str, str]]:
        """Status and model of what Alertmanager notified of."""
        messages = [json.loads(text) for _, text in self._receiver.requests]
        return [(alert["status"], alert["labels"]["model"]) for message in messages for alert in message["alerts"]]


@pytest.fixture(name="line")
def _line(alertmanager: Callable[[str], Alertmanager], receiver: Any) -> Iterator[Line]:
    with Store.open(None) as store:
        yield Line(store, alertmanager(receiver.url), receiver)


def test_one_alert_stands_until_its_incident_ends(line: Line, incident: dict[str, Any], eventually: Any) -> None:
    """Opened, posted again and updated it is one alert with one notification; resolved, it is gone and told as such."""
    line.tell("opened", incident)
    (first,) = line.there.alerts()
    assert first["labels"] == {
        "alertname": "UndertowDrift",
        "alert_id": "al_01",
        "gateway": "g",
        "provider": "openai",
        "model": "gpt-4",
        "team": "ml",
    }
    assert first["generatorURL"].startswith(f"{DASHBOARD}/incident?")
    line.later(REPOST_S)
    (second,) = line.there.alerts()
    line.tell("updated", incident | {"cause": "unresolved"})
    (third,) = line.there.alerts()
    assert first["fingerprint"] == second["fingerprint"] == third["fingerprint"]
    assert first["endsAt"] < second["endsAt"]
    assert third["annotations"]["cause"] == "unresolved"
    eventually(line.told, "Alertmanager notifies")
    line.tell("resolved", incident | {"status": "resolved", "resolved_at": line.clock() - 3600})
    assert line.there.alerts() == []
    eventually(lambda: len(line.told()) == 2, "Alertmanager notifies of the end")
    assert line.told() == [("firing", "gpt-4"), ("resolved", "gpt-4")]


def test_an_alert_that_is_not_posted_again_ends_by_itself(
    line: Line, incident: dict[str, Any], eventually: Any
) -> None:
    """A monitor that is gone leaves nothing standing for ever: four posts are missed, and Alertmanager ends it."""
    line.clock.advance(1.5 - MISSED_POSTS * REPOST_S)
    line.tell("opened", incident)
    assert len(line.there.alerts()) == 1
    eventually(lambda: not line.there.alerts(), "the alert ends")


def test_a_silence_by_labels_holds_through_posts(line: Line, incident: dict[str, Any], eventually: Any) -> None:
    """What is silenced by a label stays so when it is posted again and updated; the others are told."""
    line.there.silence(model="gpt-4", team="ml")
    line.tell("opened", incident)
    other = incident | {"id": "inc_02", "target": incident["target"] | {"model": "gpt-5"}}
    line.tell("opened", other)
    line.later(REPOST_S)
    line.tell("updated", incident | {"cause": "unresolved"})

    def states() -> dict[str, str]:
        return {alert["labels"]["model"]: alert["status"]["state"] for alert in line.there.alerts()}

    eventually(lambda: states() == {"gpt-4": "suppressed", "gpt-5": "active"}, "one is silenced, one is not")
    eventually(line.told, "Alertmanager notifies")
    assert line.told() == [("firing", "gpt-5")]


def test_whatever_a_target_is_called_alertmanager_takes_it(line: Line, incident: dict[str, Any]) -> None:
    """Markup, long names, emoji and right-to-left text are values of labels like others."""
    names = [*HOSTILE, "\u6a21\u578b" * 300, "\u05de\u05d5\u05d3\u05dc", " ", ""]
    egress = Egress(Guard(["127.0.0.1"]))
    config = AlertmanagerConfig(name="a", url=line.there.url)
    for number, name in enumerate(names):
        target = {"gateway": name, "provider": name, "model": name, "deployment": name}
        text = body("llm.drift.opened", incident | {"id": f"inc_{number}", "target": target}, line.clock())
        entry = Outgoing(f"msg_{number}", "c", f"inc_{number}", 1, "llm.drift.opened", text, line.clock())
        attempt = send(entry, config, egress, line.clock())
        assert (attempt.outcome, attempt.answer) == ("sent", b""), name
    assert {alert["labels"]["alert_id"] for alert in line.there.alerts()} == {f"al_{n}" for n in range(len(names))}
