"""Incidents, decisions, silences and restarts in any order: what each receiver believes at the end is what is so."""

import json
from collections import defaultdict
from datetime import datetime
from typing import Any

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.watch.test_telling import FLEET, HERE, MINUTE_S, SECRET, SIBLING, URL, Desk

from undertow.channels import SlackConfig
from undertow.config import AlertsConfig, DetectConfig, Secret, WebhookConfig, WeightsConfig
from undertow.store import Store
from undertow.watch.grouping import leader_id
from undertow.watch.incident import Incidents
from undertow.watch.lifecycle import RULES, STANDING
from undertow.watch.teller import Teller

TARGETS = st.sampled_from([HERE, SIBLING, FLEET[5]])
SUBJECTS = st.sampled_from(["output_tokens", "refusal", "ttft_s"])
REASONS = {*RULES, "repeated", "silence_ended"}
REPEAT_H = 6.0
WEBHOOK = WebhookConfig(name="all", url="https://a.example/hook", secret=Secret(SECRET), min_severity="info")
ALERTS = AlertsConfig(
    webhook=[WEBHOOK],
    slack=[
        SlackConfig(name="pager", url=URL, min_severity="critical"),
        SlackConfig(name="minis", url=URL, models=["model-*"]),
    ],
    repeat_interval_h=REPEAT_H,
)


class Telling(RuleBasedStateMachine):
    """A fleet of three targets, two of one model, and three receivers, one of which wants everything."""

    @initialize()
    def begin(self) -> None:
        """An empty store."""
        self.store = Store.open(None, clock=None)
        self.desk = Desk(self.store)
        self.desk.teller = Teller(self.store, ALERTS)
        self.heard: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)

    def teardown(self) -> None:
        """Wait until everything that is owed was told, then compare what receivers believe with what is so."""
        if not hasattr(self, "store"):
            return
        self._until_told()
        self.store.close()

    # ------------------------------------------------------------------- what happens

    @rule(whose=TARGETS, subject=SUBJECTS)
    def drift(self, whose: Any, subject: str) -> None:
        """A signal of a target moves."""
        self._later("drift", whose, subject)

    @rule(whose=TARGETS, subject=SUBJECTS)
    def recover(self, whose: Any, subject: str) -> None:
        """It is back, if it was away."""
        self._later("recovered", whose, subject)

    @rule(whose=TARGETS)
    def traffic(self, whose: Any) -> None:
        """The users ask otherwise, which may name another cause."""
        self._later("traffic", whose, "input_tokens")

    @precondition(lambda self: self.desk.incidents.standing)
    @rule(data=st.data(), status=st.sampled_from(["acknowledged", "accepted", "resolved"]))
    def decide(self, data: Any, status: str) -> None:
        """A person says something of an incident."""
        key = data.draw(st.sampled_from(sorted(self.desk.incidents.standing)))
        self.desk._commit([self.desk.incidents.close(key, self.desk.now, status, "ada")])

    @precondition(lambda self: self.desk.incidents.standing)
    @rule(data=st.data(), reason=st.sampled_from(["golden_agrees", "golden_disagrees"]))
    def weigh(self, data: Any, reason: Any) -> None:
        """Fixed prompts say something of an incident."""
        key = data.draw(st.sampled_from(sorted(self.desk.incidents.standing)))
        told = self.desk.incidents.weigh(key, reason, self.desk.now, "golden")
        self.desk._commit([told] if told else [])

    @rule(minutes=st.sampled_from([2, 30, 600]), model=st.sampled_from(["*", "gpt-4o"]))
    def silence(self, minutes: int, model: str) -> None:
        """Nobody is told for so long."""
        self.desk.silence(minutes * MINUTE_S, model=model)

    @rule()
    def end_silences(self) -> None:
        """Somebody ends them before their time."""
        with self.store.judgement() as transaction:
            for one in self.store.silences(self.desk.now):
                transaction.put_silence(one | {"ends_at": self.desk.now})

    @rule(seconds=st.sampled_from([1, 61, 400, 4000, 30_000]))
    def wait(self, seconds: int) -> None:
        """Time passes."""
        self.desk.wait(seconds, max(MINUTE_S, seconds / 4))

    @rule()
    def restart(self) -> None:
        """A new process on the same store."""
        known = [one for status in (*STANDING, "resolved") for one in self.store.incidents(status=status)]
        self.desk.incidents = Incidents(known, lambda *_: None, WeightsConfig(), DetectConfig())
        self.desk.teller = Teller(self.store, ALERTS)

    # --------------------------------------------------------------------- what holds

    @invariant()
    def each_message_fits_what_was_heard(self) -> None:
        """The first is an opening, an end comes once and to who heard, and a repeat keeps its distance."""
        for channel, body in self._sent():
            before = self.heard[channel, body["data"]["alert_id"]]
            kind = body["type"].removeprefix("llm.drift.")
            assert body["data"]["reason"] in REASONS
            assert before or kind == "opened", (channel, kind, body["data"]["reason"])
            assert kind != "resolved" or before[-1]["type"] != "llm.drift.resolved"
            assert (kind == "resolved") == (body["data"]["status"] not in STANDING)
            if body["data"]["reason"] == "repeated":
                assert _at(body) - _at(before[-1]) >= REPEAT_H * 3600
            before.append(body)

    @invariant()
    def an_incident_stands_where_the_store_says_so(self) -> None:
        """What stands in memory and what a restart would find are the same."""
        kept = {one["id"]: one for status in STANDING for one in self.store.incidents(status=status)}
        assert kept == self.desk.incidents.standing

    def _later(self, kind: Any, whose: Any, subject: str) -> None:
        self.desk.now += 1  # an incident is known by when it opened
        self.desk.event(whose, kind, subject)

    def _sent(self) -> list[tuple[str, dict[str, Any]]]:
        told = []
        while found := self.store.due(1e12, 1):
            told.append((found[0].channel, json.loads(found[0].body)))
            self.store.record_delivery(found[0].webhook_id, found[0].channel, "delivered", at=self.desk.now)
        return told

    def _until_told(self) -> None:
        self.desk.wait(40_000, 400)
        self.each_message_fits_what_was_heard()
        standing = {leader_id(one) for one in self.desk.incidents.standing.values()}
        assert set(self.store.alerts()) == {f"alert {key}" for key in standing}
        for (channel, alert), told in self.heard.items():
            over = told[-1]["type"] == "llm.drift.resolved"
            assert over != ("inc_" + alert.removeprefix("al_") in standing), (channel, alert, told[-1]["type"])
        assert {"al_" + key.removeprefix("inc_") for key in standing} <= {
            alert for channel, alert in self.heard if channel == "webhook:all"
        }


def _at(body: dict[str, Any]) -> float:
    return datetime.fromisoformat(body["timestamp"]).timestamp()


TestTelling = Telling.TestCase
TestTelling.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, phases=[Phase.generate], report_multiple_bugs=False
)
