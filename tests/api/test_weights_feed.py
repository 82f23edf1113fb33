from typing import Any

import pytest

from undertow.config import Config, WeightsConfig


def test_the_feed_follows_the_open_incidents(api: Any, ok: Any) -> None:
    """Half while a provider_update is open, nothing after; the version grows with each change and no more often."""
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
    assert (after["weights"], after["version"]) == ([], lowered["version"] + 1)


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


def test_siblings_that_were_seen_make_a_group(api: Any, ok: Any) -> None:
    """The feed knows every target of the store, and keeps one of a group whole."""
    for number, deployment in enumerate("ab"):
        target = {"gateway": "g", "provider": "openai", "model": "gpt-4", "deployment": deployment}
        api.put_incident(id=f"inc_{deployment}", target=target, opened_at=float(number))
    found = ok(api.get("/v1/weights"))["weights"]
    assert {entry["target"]["deployment"]: entry["multiplier"] for entry in found} == {"a": 0.5, "b": 1.0}
