from typing import Any

import pytest

from undertow.config import ApiConfig, Config, Secret, TokenConfig


@pytest.mark.parametrize("decision", ["acknowledge", "accept", "resolve", "judge"])
def test_a_decision_reaches_the_watcher_with_who_took_it_and_why(decision: str, api: Any, ok: Any) -> None:
    """The watcher gets the id, the name, the reason and the verdict, and its answer is the answer."""
    api.watcher.open["inc_1"] = {"id": "inc_1", "status": "after"}
    body = b'{"by": "ada", "reason": " seen before ", "verdict": "false_alarm"}'
    assert ok(api.post(f"/v1/incidents/inc_1/{decision}", body)) == {"id": "inc_1", "status": "after"}
    assert api.watcher.decisions == [(decision, "inc_1", "ada", "seen before", "false_alarm")]


def test_without_a_name_the_token_stands_for_who_decides(api: Any, ok: Any) -> None:
    """An empty body is fine; then the name of the token is remembered, or that it was the API."""
    api.watcher.open["inc_1"] = {"id": "inc_1"}
    ok(api.post("/v1/incidents/inc_1/resolve"))
    token = TokenConfig(name="pager", scopes=["operate"], token=Secret("t" * 20))
    api.start(config=Config(api=ApiConfig(tokens=[token])))
    ok(api.post("/v1/incidents/inc_1/resolve", headers={"authorization": "Bearer " + "t" * 20}))
    assert [by for _, _, by, *_ in api.watcher.decisions] == ["api", "pager"]


@pytest.mark.parametrize(
    "body", [b"[]", b'{"by": 1}', b'{"by": "' + b"x" * 201 + b'"}', b'{"verdict": "maybe"}', b"{", b"\xff", b"[" * 4000]
)
def test_a_body_that_is_no_decision_decides_nothing(body: bytes, api: Any, problem: Any) -> None:
    """What cannot be read is refused before the watcher hears of it."""
    assert "expected" in problem(api.post("/v1/incidents/inc_1/accept", body), 400)
    assert api.watcher.decisions == []


def test_a_body_too_large_for_a_name_is_refused(api: Any, problem: Any) -> None:
    """Eight kibibytes are plenty."""
    assert "larger" in problem(api.post("/v1/incidents/inc_1/accept", b" " * 9000), 413)


def test_a_judgement_needs_a_verdict_and_an_incident(api: Any, problem: Any) -> None:
    """400 where nothing is said, 404 where there is nothing to say it of."""
    assert "verdict" in problem(api.post("/v1/incidents/inc_1/judge", b'{"by": "ada"}'), 400)
    assert "inc_1" in problem(api.post("/v1/incidents/inc_1/judge", b'{"verdict": "real"}'), 404)


def test_nothing_can_be_decided_twice_or_about_what_is_not_there(api: Any, problem: Any) -> None:
    """409 says how a past incident ended, 404 that there is none."""
    api.put_incident(status="resolved")
    assert "resolved" in problem(api.post("/v1/incidents/inc_1/accept"), 409)
    assert "inc_9" in problem(api.post("/v1/incidents/inc_9/accept"), 404)
