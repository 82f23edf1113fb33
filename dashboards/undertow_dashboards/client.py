"""The API, typed. Everything the dashboard knows comes through here."""

from functools import lru_cache
from typing import Any, Literal
from urllib.parse import quote

import msgspec

from undertow_dashboards import shapes
from undertow_dashboards.connection import DEFAULT_URL, ApiError, Connection
from undertow_dashboards.shapes import Target

__all__ = ["DEFAULT_URL", "ApiError", "Client", "Decision", "Verdict", "connect"]

Decision = Literal["acknowledge", "accept", "resolve", "judge"]
Verdict = Literal["real", "false_alarm"]


class Client(Connection):
    """A monitor's API; safe to share between threads."""

    def targets(self) -> list[shapes.TargetState]:
        """The state of every target."""
        return self.get("/v1/targets", shapes.Targets).targets

    def memory(self, days: float) -> shapes.Memory:
        """The last days against every baseline that a target was judged by."""
        return self.get("/v1/memory", shapes.Memory, {"days": days})

    def detectability(self) -> shapes.Detectability:
        """What would be noticed on each signal, and how soon."""
        return self.get("/v1/detectability", shapes.Detectability)

    def incidents(self) -> list[shapes.Incident]:
        """Every incident, open and past, newest first."""
        found = self.get("/v1/incidents", shapes.Incidents).incidents
        return sorted(found, key=lambda incident: -(incident.opened_at or 0.0))

    def incident(self, incident_id: str) -> shapes.Incident:
        """One incident."""
        return self.get(f"/v1/incidents/{quote(incident_id, safe='')}", shapes.Incident)

    def decide(
        self, incident_id: str, decision: Decision, by: str, reason: str = "", verdict: Verdict | None = None
    ) -> None:
        """Tell the monitor what a person decided about an incident, and why."""
        told = {"by": by, "reason": reason} | ({"verdict": verdict} if verdict else {})
        self._put("POST", f"/v1/incidents/{quote(incident_id, safe='')}/{decision}", told)

    def notices(self) -> list[shapes.Notice]:
        """What is worth knowing and is no incident, newest first."""
        return sorted(self.get("/v1/notices", shapes.Notices).notices, key=lambda n: -(n.at or 0.0))

    def fleet(self, window_s: float) -> shapes.Fleet:
        """What every target did in the last `window_s` seconds."""
        return self.get("/v1/fleet", shapes.Fleet, {"window_s": window_s})

    def series(
        self, target: Target, signal: str, start: float, end: float, step_s: float, route: str | None = None
    ) -> shapes.Series:
        """A signal between two times (Unix seconds) in bins of `step_s`; of one route where it is given."""
        params = target.params() | _given(signal=signal, start=start, end=end, step_s=step_s, route=route)
        return self.get("/v1/series", shapes.Series, params)

    def shares(
        self, target: Target, field: str, start: float, end: float, step_s: float, route: str | None = None
    ) -> shapes.Shares:
        """How often each value of `field` was seen, such as `finish_reason`, in bins of `step_s`."""
        params = target.params() | _given(field=field, start=start, end=end, step_s=step_s, route=route)
        return self.get("/v1/shares", shapes.Shares, params)

    def distribution(self, target: Target, signal: str, route: str | None = None) -> shapes.Distribution:
        """A signal in the baseline and now; of one route where it is given."""
        return self.get("/v1/distribution", shapes.Distribution, target.params() | _given(signal=signal, route=route))

    def evidence(self, target: Target, signal: str, start: float, end: float) -> shapes.Evidence:
        """The evidence of a change of a signal between two times, against the alarm's threshold."""
        params = target.params() | _given(signal=signal, start=start, end=end)
        return self.get("/v1/evidence", shapes.Evidence, params)

    def marks(self, target: Target, start: float, end: float) -> list[shapes.Mark]:
        """What happened to a target between two times, in order."""
        found = self.get("/v1/marks", shapes.Marks, target.params() | _given(start=start, end=end)).marks
        return sorted(found, key=lambda mark: mark.at)

    def costs(self, start: float, end: float, step_s: float) -> shapes.Costs:
        """What every target cost between two times in bins of `step_s`."""
        return self.get("/v1/cost", shapes.Costs, _given(start=start, end=end, step_s=step_s))

    def budget(self, days: float) -> shapes.Budget:
        """False alarms of the last days, as judged by people, against what the operator allows."""
        return self.get("/v1/budget", shapes.Budget, {"days": days})

    def weights(self) -> shapes.Feed:
        """The weights feed as gateways get it."""
        return self.get("/v1/weights", shapes.Feed)

    def weight_changes(self, limit: int = 200) -> list[shapes.WeightChange]:
        """The audit trail of weights, newest first."""
        return list(self.get("/v1/weights/changes", shapes.WeightChanges, {"limit": limit}).changes)

    def overrides(self) -> list[shapes.Override]:
        """The weights that people have set."""
        return list(self.get("/v1/weights/overrides", shapes.Overrides).overrides)

    def override(self, target: Target, multiplier: float, until: float, by: str, reason: str) -> None:
        """Set a weight until then (Unix seconds), whatever the policy says."""
        told = {"target": target.params(), "multiplier": multiplier, "until": until, "by": by, "reason": reason}
        self._put("POST", "/v1/weights/overrides", told)

    def withdraw(self, override_id: str, by: str) -> None:
        """End an override now."""
        self.ask("DELETE", "/v1/weights/overrides", params={"id": override_id, "by": by})

    def silences(self) -> list[shapes.Silence]:
        """The silences that stand or are to come."""
        return list(self.get("/v1/silences", shapes.Silences).silences)

    def silence(self, matchers: dict[str, str], for_s: float, by: str, comment: str) -> None:
        """Let nobody be told of what matches for `for_s` seconds."""
        self._put("POST", "/v1/silences", {"matchers": matchers, "for_s": for_s, "by": by, "comment": comment})

    def end_silence(self, silence_id: str, by: str) -> None:
        """End a silence now."""
        self.ask("DELETE", f"/v1/silences/{quote(silence_id, safe='')}", params={"by": by})

    def receivers(self) -> shapes.Receivers:
        """Channels that are disabled, or failed at the last attempt."""
        return self.get("/v1/receivers", shapes.Receivers)

    def ingestion(self) -> shapes.Ingestion:
        """What came in and how far behind the source is."""
        return self.get("/v1/ingest", shapes.Ingestion)

    def rejects(self, limit: int = 100) -> list[dict[str, Any]]:
        """The newest rejected messages, without their payload."""
        return self.get("/v1/rejects", shapes.Rejects, {"limit": limit}).rejects

    def readiness(self) -> shapes.Readiness:
        """Whether the monitor works, part by part; not ready is an answer, not an error."""
        return self.decode("/readyz", shapes.Readiness, self.send("GET", "/readyz")[1])

    def _put(self, method: str, path: str, told: dict[str, Any]) -> None:
        self.ask(method, path, content=msgspec.json.encode(told))


def _given(**params: Any) -> dict[str, Any]:
    """The parameters that are there."""
    return {name: value for name, value in params.items() if value is not None}


@lru_cache(maxsize=8)
def connect(base_url: str, token: str) -> Client:
    """The one client of this process for a monitor: connections are kept between page runs."""
    return Client(base_url, token)
