from typing import Any

import msgspec
import pytest

from undertow.config import AlertsConfig, ApiConfig, Config, Secret, TokenConfig
from undertow.quiet import MaintenanceConfig

BODY = {"matchers": {"provider": "openai"}, "for_s": 3600, "by": "ada", "comment": "provider is on it"}


def put(api: Any, **changed: Any) -> Any:
    """One POST."""
    return api.post("/v1/silences", msgspec.json.encode(BODY | changed))


def test_a_silence_has_an_end_an_author_and_a_trail(api: Any, ok: Any) -> None:
    """What was asked for is kept, listed as active, and written down with who did it."""
    response = put(api)
    made = response.json()
    now = api.clock()
    assert response.status_code == 201
    assert (made["ends_at"], made["by"], made["matchers"]) == (now + 3600, "ada", {"provider": "openai"})
    assert ok(api.get("/v1/silences")) == {"silences": [made | {"active": True}]}
    [row] = api.store.audit(made["id"])
    assert (row["action"], row["by"], row["text"]) == ("created", "ada", "provider is on it")


def test_a_silence_can_be_ended_early_once(api: Any, ok: Any, problem: Any) -> None:
    """DELETE ends it now and keeps it on record; a second time there is nothing to end."""
    made = put(api).json()
    api.clock.advance(60)
    ended = ok(api.ask("DELETE", f"/v1/silences/{made['id']}"))
    assert (ended["ends_at"], ended["ended_by"]) == (api.clock(), "api")
    assert ok(api.get("/v1/silences")) == {"silences": []}
    assert [one["id"] for one in ok(api.get("/v1/silences?all=true"))["silences"]] == [made["id"]]
    assert "is over" in problem(api.ask("DELETE", f"/v1/silences/{made['id']}"), 409)
    assert "sil_none" in problem(api.ask("DELETE", "/v1/silences/sil_none"), 404)
    assert [one["action"] for one in api.store.audit(made["id"])] == ["created", "ended"]


def test_one_that_is_to_come_is_listed_and_not_active(api: Any, ok: Any) -> None:
    """A silence can be set ahead."""
    put(api, starts_at=api.clock() + 600)
    assert [one["active"] for one in ok(api.get("/v1/silences"))["silences"]] == [False]


@pytest.mark.parametrize(
    "changed",
    [
        {"for_s": None},
        {"for_s": 0},
        {"for_s": 1e12},
        {"ends_at": 4e9},
        {"for_s": None, "ends_at": 1.0},
        {"for_s": None, "ends_at": 9e99},
        {"starts_at": 1.0},
        {"matchers": {"tenant": "x"}},
        {"matchers": {"model": ""}},
        {"matchers": None},
        {"by": 1},
        {"comment": "x" * 1001},
        {"more": 1},
    ],
)
def test_what_is_no_silence_is_refused(changed: dict[str, Any], api: Any, problem: Any) -> None:
    """Without an end, of the past, for ever, with unknown keys: nothing is kept, and the mistake is named."""
    assert problem(put(api, **changed), 400)
    assert api.store.silences() == []


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b"[" * 4000])
def test_a_body_that_cannot_be_read_is_refused(body: bytes, api: Any, problem: Any) -> None:
    """Hostile bytes are a 400."""
    assert "expected" in problem(api.post("/v1/silences", body), 400)


def test_silences_need_the_scope_operate(api: Any, problem: Any) -> None:
    """A reader may look and not decide; without a name the token is the author."""
    tokens = [TokenConfig(name=n, scopes=[n], token=Secret(n * 5)) for n in ("read", "operate")]
    api.start(config=Config(api=ApiConfig(tokens=tokens)))
    body = msgspec.json.encode(BODY | {"by": ""})
    headers = {n: {"authorization": f"Bearer {n * 5}"} for n in ("read", "operate")}
    assert "operate" in problem(api.post("/v1/silences", body, headers=headers["read"]), 403)
    assert api.post("/v1/silences", body, headers=headers["operate"]).json()["by"] == "operate"


def test_an_incident_comes_with_its_trail(api: Any, ok: Any) -> None:
    """Who did what, when and why, in order, of this incident alone."""
    api.put_incident()
    with api.store.judgement() as transaction:
        for action in ("opened", "told"):
            transaction.put_audit("inc_1", action, "drifted", "undertow", at=1.0, recorded_at=2.0, text="t")
        transaction.put_audit("inc_2", "opened", "drifted", "undertow", at=1.0, recorded_at=2.0)
    trail = ok(api.get("/v1/incidents/inc_1"))["trail"]
    assert [one["action"] for one in trail] == ["opened", "told"]
    assert trail[0] == {
        "at": 1.0, "recorded_at": 2.0, "action": "opened", "reason": "drifted", "by": "undertow", "text": "t"
    }  # fmt: skip


def test_a_receiver_that_is_gone_is_shown_and_can_be_enabled(api: Any, ok: Any, problem: Any) -> None:
    """/readyz and /v1/receivers name it; enabling it is written down."""
    with api.store.judgement() as transaction:
        transaction.disable("webhook:h:1", 5.0, "http_410")
    api.deliverer.failing = {"webhook:h:1": "http_410", "webhook:h:2": "timeout"}
    told = ok(api.get("/v1/receivers"))
    assert told["disabled"] == [{"channel": "webhook:h:1", "disabled_at": 5.0, "detail": "http_410"}]
    assert told["failing"] == [{"channel": "webhook:h:2", "detail": "timeout"}]
    outbox = next(part for part in ok(api.get("/readyz"))["parts"] if part["part"] == "outbox")
    assert (outbox["ok"], outbox["state"]) == (True, "disabled")
    assert "webhook:h:1" in outbox["detail"]
    assert ok(api.post("/v1/receivers/webhook:h:1/enable")) == {"channel": "webhook:h:1"}
    assert api.store.disabled() == []
    assert [one["action"] for one in api.store.audit("webhook:h:1")] == ["enabled"]
    assert "no such" in problem(api.post("/v1/receivers/webhook:h:1/enable"), 404)


def test_incidents_say_what_covers_them(api: Any, ok: Any) -> None:
    """The silence that is on and fits is named, in the list and alone; what is over or of others has none."""
    api.put_incident()
    api.put_incident(id="inc_2", status="resolved")
    api.put_incident(id="inc_3", target={"gateway": "g", "provider": "mistral", "model": "m", "deployment": None})
    made = put(api).json()
    quiet = {one["id"]: one["quiet"] for one in ok(api.get("/v1/incidents"))["incidents"]}
    assert quiet == {"inc_1": f"silence {made['id']}", "inc_2": None, "inc_3": None}
    assert ok(api.get("/v1/incidents/inc_1"))["quiet"] == f"silence {made['id']}"
    api.clock.advance(3601)
    assert ok(api.get("/v1/incidents/inc_1"))["quiet"] is None


def test_a_maintenance_window_covers_incidents_too(api: Any, ok: Any) -> None:
    """One of the configuration is told by its name."""
    window = MaintenanceConfig(name="nightly", start="00:00", end="24:00")
    api.start(config=Config(alerts=AlertsConfig(maintenance=[window])))
    api.put_incident()
    assert ok(api.get("/v1/incidents"))["incidents"][0]["quiet"] == "maintenance nightly"
