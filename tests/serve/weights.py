"""What readers of the weights see over several lives of a monitor, and whether it agrees with everything else."""

import itertools
import threading
import time
from dataclasses import dataclass
from typing import Any

import httpx
from tests.served import Inbox, changed, lines, spans

POLL_S = 0.02
SPEED = 20.0
BASELINE = 1200
BLOCK = 200
MODELS = [f"model-{n}" for n in range(8)]
CHANGED = "llm.weights.changed"
BEFORE_COMMIT = ("before_judgement", "before_judgement_commit")
SENDING = ("before_send", "after_send", "before_record", "after_record")
POINTS = (*BEFORE_COMMIT, "after_judgement", *SENDING)
CONFIG = """\
[alerts]
allow_hosts = ["127.0.0.1"]
[[alerts.webhook]]
url = "{url}/hook"
secret = "whsec_QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY="
[weights]
ladder = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3]
dwell_s = {dwell_s}
recovery_s = 100_000
"""


@dataclass(frozen=True)
class Seen:
    """One answer of the feed: its version, its ETag, and what it says."""

    version: int
    etag: str
    weights: str


class Reader:
    """A gateway that polls the feed as fast as it can; `seen` has each answer that differs from the one before."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.url = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._poll)
        self._thread.start()

    def _poll(self) -> None:
        with httpx.Client(timeout=5.0, trust_env=False) as client:
            while not self._stop.wait(POLL_S):
                try:
                    answer = client.get(f"{self.url}/v1/weights") if self.url else None
                except httpx.TransportError:
                    continue
                if answer and answer.status_code == 200:
                    self._keep(answer)

    def _keep(self, answer: httpx.Response) -> None:
        body = answer.json()
        seen = Seen(body["version"], answer.headers["etag"], repr(body["weights"]))
        if self.seen[-1:] != [seen]:
            self.seen.append(seen)

    def faults(self) -> list[str]:
        """What no reader may see: versions that go back, and two contents or ETags of one version."""
        found = [
            f"version {after.version} after {before.version}"
            for before, after in itertools.pairwise(self.seen)
            if after.version < before.version
        ]
        for version, some in itertools.groupby(sorted(self.seen, key=lambda one: one.version), lambda one: one.version):
            if len({(one.etag, one.weights) for one in some}) > 1:
                found.append(f"version {version} is two things")
        return found

    def close(self) -> None:
        """Stop polling."""
        self._stop.set()
        self._thread.join()


class Fleet:
    """Lives of a monitor of several targets, a reader of its weights, and a receiver of what it announces."""

    def __init__(self, live: Any, inbox: Inbox, **plan: Any) -> None:
        self._live, self._inbox, self._blocks = live, inbox, 0
        self.reader = Reader()
        self.next(**plan)
        assert self.life.post("/v1/spans", lines(changed(MODELS, BASELINE, 0)))
        self.life.until(lambda: all(row["baseline"] == "frozen" for row in self.life.get("/v1/targets")["targets"]))

    def next(self, **plan: Any) -> None:
        """The next life; the reader follows it."""
        self.life = self._live(speed=SPEED, **plan)
        self.reader.url = str(self.life.client.base_url)

    def armed(self, at: str, **plan: Any) -> None:
        """A life that ends at this point of the way of the next change of the weights."""
        self.next(at=at, kind=CHANGED, **plan)

    def change(self, model: str) -> None:
        """Half an hour of traffic, since when one model more answers differently."""
        last = MODELS.index(model)
        first = BASELINE + BLOCK * self._blocks
        numbers = range(first, first + BLOCK)
        self._blocks += 1
        some = [spans(one, numbers, factor=0.5 if n <= last else 1.0) for n, one in enumerate(MODELS)]
        self.life.post("/v1/spans", lines(span for together in zip(*some, strict=True) for span in together))

    def entries(self) -> dict[str, dict[str, Any]]:
        """What the feed says of each model that it names."""
        return {one["target"]["model"]: one for one in self.life.get("/v1/weights")["weights"]}

    def lowered(self) -> dict[str, list[str]]:
        """The alerts of the standing incidents of each model."""
        some = self.life.get("/v1/incidents")["incidents"]
        standing = [one for one in some if one["status"] == "open" and one["cause"] == "provider_update"]
        return {one["target"]["model"]: [one["id"].replace("inc_", "al_")] for one in standing}

    def audit(self) -> list[dict[str, Any]]:
        """Every change that is on record, oldest first."""
        return list(reversed(self.life.get("/v1/weights/changes")["changes"]))

    def announced(self) -> list[dict[str, Any]]:
        """What was announced, each message once, in order of arrival."""
        posts = [post for post in list(self._inbox.posts) if post.json["type"] == CHANGED]
        return list({post.headers["webhook-id"]: post.json["data"] for post in posts}.values())

    def settled(self) -> None:
        """Wait until the last version is announced."""
        version = self.life.get("/v1/weights")["version"]
        self.life.until(lambda: version == 1 or any(one["version"] == version for one in self.announced()))

    def faults(self) -> list[str]:
        """Where the feed, the incidents, the overrides, the audit trail and the announcements do not agree."""
        return [*self.reader.faults(), *self._against_incidents(), *self._against_audit(), *self._against_announced()]

    def _against_incidents(self) -> list[str]:
        entries = self.entries()
        by_policy = {model: entry["alert_ids"] for model, entry in entries.items() if entry["alert_ids"]}
        by_people = {m: (e["multiplier"], e["expires_at"]) for m, e in entries.items() if e["reason"] == "override"}
        said = self.life.get("/v1/weights/overrides")["overrides"]
        overrides = {one["target"]["model"]: (one["multiplier"], one["until"]) for one in said}
        found = [] if by_policy == self.lowered() else [f"{by_policy} and incidents {self.lowered()}"]
        return found + ([] if by_people == overrides else [f"{by_people} and overrides {overrides}"])

    def _against_audit(self) -> list[str]:
        now: dict[str, float] = {}
        found = []
        for change in self.audit():
            model = change["target"]["model"]
            if now.get(model, 1.0) != change["before"]:
                found.append(f"{model} was {now.get(model, 1.0)} on record and {change['before']} when it changed")
            now[model] = change["after"]
        multipliers = {model: entry["multiplier"] for model, entry in self.entries().items()}
        recorded = {model: now.get(model) for model in multipliers}
        return found + ([] if recorded == multipliers else [f"{multipliers} and on record {recorded}"])

    def _against_announced(self) -> list[str]:
        announced, seen = self.announced(), {one.version: one.weights for one in self.reader.seen}
        found = [
            f"version {one['version']} is announced as something else"
            for one in announced
            if repr(one["weights"]) != seen.get(one["version"], repr(one["weights"]))
        ]
        told = [change for one in announced for change in one["changes"]]
        return found + ([] if told == self.audit() else [f"announced {told}, on record {self.audit()}"])

    def close(self) -> None:
        """Stop reading."""
        self.reader.close()


def until(live: Any, seconds: float) -> float:
    """A time so many of the monitor's seconds from now, in Unix seconds."""
    return float(live.clock(time.time()) + seconds)
