import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.api.conftest import NOW, TARGET

from undertow.config import Config, WeightsConfig


def test_the_feed_follows_the_open_incidents(api: Any, ok: Any) -> None:
    """Half while a provider_update is open and until it was calm; the version grows with each change."""
    empty = ok(api.get("/v1/weights"))
    assert (empty["weights"], empty["mode"], empty["expires_at"] - empty["generated_at"]) == ([], "advisory", 600.0)
    api.put_incident()
    lowered = ok(api.get("/v1/weights"))
    assert [entry["multiplier"] for entry in lowered["weights"]] == [0.5]
    assert lowered["version"] == empty["version"] + 1
    api.put_incident(status="acknowledged")
    assert ok(api.get("/v1/weights"))["version"] == lowered["version"]
    api.put_incident(status="resolved")
    after = ok(api.get("/v1/weights"))
    assert [entry["reason"] for entry in after["weights"]] == ["recovering"]
    assert after["version"] == lowered["version"] + 1


def test_what_did_not_change_is_304(api: Any) -> None:
    """The ETag stays while time passes and changes with the content; a 304 has no body."""
    first = api.get("/v1/weights")
    etag = first.headers["etag"]
    api.clock.advance(60)
    for sent in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        again = api.get("/v1/weights", headers={"if-none-match": sent})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    assert api.get("/v1/weights", headers={"if-none-match": '"other"'}).status_code == 200
    api.put_incident()
    changed = api.get("/v1/weights", headers={"if-none-match": etag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != etag
    assert not changed.headers["etag"].startswith("W/")


def test_the_version_outlives_a_restart(api: Any, ok: Any) -> None:
    """A consumer that remembers a version never sees it again with other content."""
    before = api.get("/v1/weights")
    after = api.start().get("/v1/weights")
    assert after.headers["etag"] == before.headers["etag"]
    assert ok(after)["version"] == ok(before)["version"]


@pytest.mark.parametrize("mode", ["advisory", "enforce"])
def test_both_modes_serve_the_same_entries(mode: Any, api: Any, ok: Any) -> None:
    """What differs is what consumers do with them."""
    api.put_incident()
    api.start(config=Config(weights=WeightsConfig(mode=mode)))
    found = ok(api.get("/v1/weights"))
    assert (found["mode"], found["weights"][0]["multiplier"]) == (mode, 0.5)


def test_siblings_make_a_group(api: Any, ok: Any) -> None:
    """One of a group keeps all of its weight."""
    for number, deployment in enumerate("ab"):
        target = {"gateway": "g", "provider": "openai", "model": "gpt-4", "deployment": deployment}
        api.put_incident(id=f"inc_{deployment}", target=target, opened_at=float(number))
    found = ok(api.get("/v1/weights"))["weights"]
    assert {entry["target"]["deployment"]: entry["multiplier"] for entry in found} == {"a": 0.5, "b": 1.0}


def wanted(**changed: Any) -> bytes:
    """The body of an override of the one target that was seen."""
    body = {"target": TARGET, "multiplier": 0.2, "until": NOW + 600.0, "by": "kim", "reason": "they called"}
    return json.dumps(body | changed).encode()


def test_a_person_sets_a_weight_until_then(api: Any, ok: Any) -> None:
    """It is in the feed with its end, listed with its author, and gone when it is withdrawn."""
    api.fill()
    made = api.post("/v1/weights/overrides", wanted())
    assert made.status_code == 201
    (entry,) = ok(api.get("/v1/weights"))["weights"]
    assert (entry["multiplier"], entry["reason"], entry["expires_at"]) == (0.2, "override", NOW + 600.0)
    assert ok(api.get("/v1/weights/overrides"))["overrides"] == [made.json()]
    assert made.json()["by"] == "kim"
    assert ok(api.ask("DELETE", f"/v1/weights/overrides?id={made.json()['id']}")) == made.json()
    assert ok(api.get("/v1/weights"))["weights"] == []


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"{", 400, "expected"),
        (wanted(multiplier=1.5), 422, "multiplier"),
        (wanted(until=NOW), 422, "until"),
        (wanted(until=NOW + 1e9), 422, "until"),
        (wanted(by=" "), 400, "by"),
        (wanted(untl=1), 422, "untl"),
        (wanted(target={"provider": "openai", "model": "gpt-5"}), 404, "never seen"),
    ],
)
def test_an_override_that_cannot_be_is_refused(
    body: bytes, status: int, said: str, api: Any, problem: Callable[..., str]
) -> None:
    """It needs a target that was seen, a share, an end and an author."""
    api.fill()
    assert said in problem(api.post("/v1/weights/overrides", body), status)


def test_a_group_is_not_emptied_by_hand(api: Any, problem: Callable[..., str]) -> None:
    """Where the sibling is lowered already, the answer is 409 and says so."""
    api.fill()
    api.put_incident(target=TARGET | {"deployment": "b"})
    assert "put back to 1" in problem(api.post("/v1/weights/overrides", wanted()), 409)


def test_what_does_not_stand_cannot_be_withdrawn(api: Any, problem: Callable[..., str]) -> None:
    """Nor can the same one twice."""
    assert "ov_1" in problem(api.ask("DELETE", "/v1/weights/overrides?id=ov_1"), 404)


def test_the_audit_trail_is_newest_first(api: Any, ok: Any) -> None:
    """As it was written."""
    with api.store.judgement() as judgement:
        for at in (1.0, 2.0):
            judgement.put_weight_change({"at": at, "target": TARGET, "before": 1.0, "after": 0.5})
    assert [one["at"] for one in ok(api.get("/v1/weights/changes"))["changes"]] == [2.0, 1.0]
    assert len(ok(api.get("/v1/weights/changes?limit=1"))["changes"]) == 1
