import json
from typing import Any

import pyarrow as pa
import pytest

from undertow.batch import Batch, Decoded, Origin, Reject
from undertow.errors import TryAgain
from undertow.instrumentation import named

OF = {"gateway": "g", "provider": "openai", "model": "gpt-4"}
ARROW = {"accept": "application/vnd.apache.arrow.stream"}


def test_targets_are_what_the_watcher_says(api: Any, ok: Any) -> None:
    """The state of each target comes from the detection loop; what is not finite becomes null."""
    api.watcher.known = [{"target": OF, "state": "ok", "signals": [{"log10_evidence": float("-inf")}]}]
    assert ok(api.get("/v1/targets"))["targets"][0]["signals"] == [{"log10_evidence": None}]


def test_incidents_are_listed_filtered_and_found(api: Any, ok: Any, problem: Any) -> None:
    """All of them newest first, those of one status, one by its id; another id is 404."""
    first, second = api.put_incident(), api.put_incident(id="inc_2", status="resolved", opened_at=2e9)
    assert ok(api.get("/v1/incidents"))["incidents"] == [second | {"quiet": None}, first | {"quiet": None}]
    assert [one["id"] for one in ok(api.get("/v1/incidents?status=open"))["incidents"]] == ["inc_1"]
    around = ("trail", "deliveries", "examples", "ruled_out", "verdict", "quiet")
    assert {k: v for k, v in ok(api.get("/v1/incidents/inc_2")).items() if k not in around} == second
    assert "inc_3" in problem(api.get("/v1/incidents/inc_3"), 404)


def test_notices_are_listed(api: Any, ok: Any) -> None:
    """What is worth knowing and is no incident."""
    notice = {"kind": "traffic_mix", "target": OF, "at": 1.0, "text": "more long prompts"}
    with api.store.judgement() as judgement:
        judgement.put_notice(notice)
    assert ok(api.get("/v1/notices"))["notices"] == [notice]


def test_a_series_has_points_in_steps(api: Any, ok: Any) -> None:
    """Quantiles of a number, rates of a yes or no, over the last day unless told otherwise."""
    api.fill()
    found = ok(api.get("/v1/series", params={**OF, "signal": "output_tokens", "step_s": 600}))
    assert (found["kind"], found["unit"]) == ("quantiles", "tokens")
    assert sum(point["n"] for point in found["points"]) == 100
    rates = ok(api.get("/v1/series", params={**OF, "signal": "parse_fail", "step_s": 86400}))
    assert [(point["n"], point["rate"]) for point in rates["points"]] == [(100, 0.25)]


@pytest.mark.parametrize("signal", ["output_tokens", "parse_fail"])
def test_a_series_comes_as_arrow_too(api: Any, ok: Any, signal: str) -> None:
    """The same points as an Arrow stream, what describes them in its metadata; an empty one has the same columns."""
    api.fill()
    params = {**OF, "signal": signal, "step_s": 600}
    found = ok(api.get("/v1/series", params=params))
    response = api.get("/v1/series", params=params, headers=ARROW)
    assert response.headers["content-type"] == ARROW["accept"]
    table = pa.ipc.open_stream(response.content).read_all()
    assert table.to_pylist() == found["points"]
    assert json.loads(table.schema.metadata[b"signal"]) == signal
    empty = api.get("/v1/series", params=params | {"model": "none"}, headers=ARROW)
    assert pa.ipc.open_stream(empty.content).read_all().schema == table.schema


def test_a_target_that_was_never_seen_has_no_points(api: Any, ok: Any) -> None:
    """Nothing is known of it, which is not an error; null parts of a target are left out of the address."""
    api.fill()
    params = {"provider": "openai", "model": "gpt-4", "signal": "output_tokens"}
    assert ok(api.get("/v1/series", params=params))["points"] == []


def test_a_distribution_compares_the_baseline_with_what_came_since_the_change(api: Any, ok: Any) -> None:
    """By default the frozen baseline against everything since the change point of the standing incident."""
    api.fill()
    now = api.clock()
    api.put_incident(change_point=now - 1200.0)
    api.watcher.known = [
        {"target": OF | {"deployment": None}, "first": now - 6000.0, "last": now - 60.0, "open_incidents": ["inc_1"]}
    ]
    api.watcher.known[0] |= {"baseline_start": now - 6000.0, "baseline_end": now - 3000.0}
    found = ok(api.get("/v1/distribution", params={**OF, "signal": "output_tokens"}))
    assert [found[side]["n"] for side in ("before", "after")] == [50, 20]
    assert found["before"]["to"] == now - 3000.0
    assert found["after"]["from"] == now - 1200.0


def test_a_distribution_compares_any_two_windows(api: Any, ok: Any, problem: Any) -> None:
    """Windows can be named; one that ends before it starts is refused."""
    api.fill()
    now = api.clock()
    params = {**OF, "signal": "parse_fail", "before_start": now - 6000, "before_end": now - 4800, "after_start": now}
    found = ok(api.get("/v1/distribution", params=params | {"after_end": now + 1}))
    assert (found["before"]["n"], found["before"]["rate"], found["after"]["n"]) == (20, 0.25, 0)
    assert "cannot end" in problem(api.get("/v1/distribution", params=params | {"after_end": now - 1}), 400)


def test_ingestion_is_what_came_in_and_how_far_the_source_is(api: Any, ok: Any) -> None:
    """The store's counts, with the source's lag for each partition and its state."""
    api.fill()
    found = ok(api.get("/v1/ingest"))
    assert found["totals"] == {"read": 100, "stored": 100, "duplicates": 0, "rejected": 0, "skipped": 0, "late": 0}
    assert found["partitions"] == [{"topic": "t", "partition": 0, "next_offset": 5, "identity": None, "lag": 7}]
    assert found["source"] == {"state": "running", "detail": ""}
    assert ok(api.start(source=None).get("/v1/ingest"))["source"]["state"] == "none"


def test_ingestion_names_who_wrote_the_spans_and_warns_of_what_is_wrong_there(api: Any, ok: Any) -> None:
    """Each has its version and what is known to be wrong with it; one without a known fault has no warning."""
    batch, decoded = Batch(), Decoded("otlp")
    decoded.instrumentations.update({named("gcp.vertex.agent", "2.0.0"): 3, named("own", "1"): 2, named("haystack"): 0})
    batch.add(Origin("t", 0, 1), decoded)
    api.store.ingest(batch)
    found = {row["name"]: row for row in ok(api.get("/v1/ingest"))["instrumentations"]}
    assert {name: [one["affects"] for one in row["warnings"]] for name, row in found.items()} == {
        "gcp.vertex.agent": ["tokens"],
        "own": [],
        "haystack": ["text"],
    }
    assert found["gcp.vertex.agent"]["warnings"][0]["text"].startswith("Reasoning ")
    shown = {key: found["haystack"][key] for key in ("topic", "version", "spans")}
    assert shown == {"topic": "t", "version": None, "spans": 0}
    assert found["own"]["first_seen"] == found["own"]["last_seen"] > 0


def test_rejects_come_with_their_reason_and_without_their_payload(api: Any, ok: Any) -> None:
    """Newest first, of one reason where it is named, as Arrow where that is asked for."""
    batch = Batch()
    rejects = [Reject("invalid_json", "line 1", length=3, payload=b"???"), Reject("missing_model")]
    batch.add(Origin("t", 0, 1), Decoded("native", rejects=rejects))
    api.store.ingest(batch)
    rows = ok(api.get("/v1/rejects"))["rejects"]
    assert {row["reason"] for row in rows} == {"invalid_json", "missing_model"}
    assert all("payload" not in row for row in rows)
    assert len(ok(api.get("/v1/rejects?reason=missing_model"))["rejects"]) == 1
    assert pa.ipc.open_stream(api.get("/v1/rejects", headers=ARROW).content).read_all().to_pylist() == rows
    assert pa.ipc.open_stream(api.get("/v1/rejects?reason=x", headers=ARROW).content).read_all().num_rows == 0


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/v1/series?provider=openai&signal=output_tokens", 422, "model"),
        ("/v1/series?provider=openai&model=m&signal=output_tokens&start=nan", 422, "start"),
        ("/v1/series?provider=openai&model=m&signal=output_tokens&step_s=0", 422, "step_s"),
        ("/v1/series?provider=openai&model=m&signal=output_tokens&start=0&step_s=1", 400, "steps"),
        ("/v1/series?provider=openai&model=m&signal=canary", 400, "no signal"),
        (f"/v1/series?provider=openai&model={'m' * 513}&signal=output_tokens", 422, "model"),
        ("/v1/incidents?limit=1000000", 422, "limit"),
        ("/v1/incidents?status=weird", 422, "status"),
        (f"/v1/incidents/{'x' * 200}", 422, "incident_id"),
        ("/v1/nothing", 404, "nothing here"),
        ("/v1/incidents/", 404, "nothing here"),
        ("/v1/golden", 501, "not there yet"),
    ],
)
def test_every_refusal_is_a_problem_that_names_the_mistake(
    path: str, status: int, said: str, api: Any, problem: Any
) -> None:
    """Parameters are bounded; what is wrong is named, and the wrong value is not sent back."""
    detail = problem(api.get(path), status)
    assert said in detail
    assert "m" * 513 not in detail


def test_a_method_that_is_not_there_is_a_problem_too(api: Any, problem: Any) -> None:
    """405 names what is allowed."""
    response = api.ask("PUT", "/v1/targets")
    assert "PUT" in problem(response, 405)
    assert response.headers["allow"] == "GET"


def test_faults_of_the_monitor_are_problems(api: Any, problem: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A passing fault asks to come again; an unexpected one says nothing of itself."""

    def fail(error: Exception) -> Any:
        def failing(*_: Any, **__: Any) -> None:
            raise error

        return failing

    monkeypatch.setattr(api.store, "notices", fail(TryAgain("the disk is full")))
    response = api.get("/v1/notices")
    assert problem(response, 503) == "the disk is full"
    assert response.headers["retry-after"] == "5"
    monkeypatch.setattr(api.store, "notices", fail(KeyError("canary")))
    assert "canary" not in problem(api.get("/v1/notices"), 500)


def test_the_api_describes_itself_without_the_internet(api: Any, ok: Any) -> None:
    """OpenAPI as JSON, and a page that lists every route and loads nothing."""
    described = ok(api.get("/openapi.json"))
    page = api.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    for path in described["paths"]:
        assert f" {path}</code>" in page.text
    assert "://" not in page.text
    assert "<script" not in page.text
