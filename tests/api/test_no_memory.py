"""A request that there is no memory for is refused as one that may be sent again, and nothing of it is kept."""

import inspect
import json
from typing import Any

import pytest
from fastapi.exceptions import WebSocketRequestValidationError
from starlette.requests import Request

from undertow.api import app, bodies
from undertow.errors import Refused

NO_THREAD = RuntimeError("can't start new thread")
SPAN = {"span_id": "s1", "started_at": 1_767_600_000.0, "provider": "openai", "model": "gpt-4"}
ERRORS = pytest.mark.parametrize(
    "error", [MemoryError(), NO_THREAD, Refused("no memory")], ids=["memory", "thread", "db"]
)


def _raising(error: Exception) -> Any:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    return fail


@ERRORS
@pytest.mark.parametrize(
    ("method", "path"), [("ingestion", "/v1/ingest"), ("fleet", "/v1/fleet"), ("ingestion", "/metrics")]
)
def test_a_question_without_memory_is_503(
    method: str, path: str, error: Exception, api: Any, problem: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As problem+json with Retry-After, again and again, and answered once there is memory."""
    with monkeypatch.context() as patch:
        patch.setattr(api.store, method, _raising(error))
        for _ in range(3):
            response = api.get(path)
            assert "memory" in problem(response, 503)
            assert response.headers["retry-after"] == "5"
    assert api.get(path).status_code == 200


@ERRORS
@pytest.mark.parametrize("where", ["body", "commit"])
def test_spans_without_memory_are_503_and_stored_once_when_sent_again(
    where: str, error: Exception, api: Any, ok: Any, problem: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it is the body or the commit that finds none."""
    with monkeypatch.context() as patch:
        owner, name = (bodies, "read") if where == "body" else (api.store, "ingest")
        patch.setattr(owner, name, _raising(error))
        response = api.post("/v1/spans", json.dumps(SPAN))
        assert "memory" in problem(response, 503)
        assert response.headers["retry-after"] == "5"
    assert ok(api.get("/v1/ingest"))["totals"]["stored"] == 0
    assert ok(api.post("/v1/spans", json.dumps(SPAN)))["stored"] == 1


@ERRORS
def test_otlp_without_memory_is_a_status_that_asks_to_try_again(
    error: Exception, api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503 with Retry-After, which OTLP's exporters follow."""
    monkeypatch.setattr(api.store, "ingest", _raising(error))
    response = api.post("/v1/traces", b'{"resourceSpans": [1]}', headers={"content-type": "application/json"})
    assert (response.status_code, response.headers["retry-after"]) == (503, "5")


def test_no_thread_is_needed_to_refuse(api: Any) -> None:
    """Where no thread can be started, that must still be said. Negative control: a handler in a thread."""
    handlers = [one for kind, one in api.app.exception_handlers.items() if kind is not WebSocketRequestValidationError]
    assert all(map(inspect.iscoroutinefunction, handlers))
    assert not inspect.iscoroutinefunction(lambda request, error: app._starved(request, error))


def test_other_faults_are_still_faults(api: Any, problem: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake of the program is 500, and no promise that it will pass."""
    monkeypatch.setattr(api.store, "ingestion", _raising(RuntimeError("a mistake")))
    response = api.get("/v1/ingest")
    problem(response, 500)
    assert "retry-after" not in response.headers


def test_a_monitor_that_calls_it_a_fault_is_caught(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: without its handler the same request is 500."""

    async def broken(request: Request, error: Exception) -> Any:
        return await app._broken(request, error)

    monkeypatch.setattr(app, "_starved", broken)
    monkeypatch.setattr(api.store, "ingestion", _raising(MemoryError()))
    assert api.start().get("/v1/ingest").status_code == 500
