import gzip
import json
import random
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest
from google.protobuf import json_format
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from undertow.api import bodies
from undertow.api.monitor import Monitor
from undertow.api.reply import Problem
from undertow.api.spans import Intake
from undertow.batch import HTTP
from undertow.commands.inputs import keeping
from undertow.config import Config, KafkaConfig
from undertow.errors import TryAgain
from undertow.fieldmaps import FieldMapConfig, FieldRule

PROTOBUF = {"content-type": "application/x-protobuf"}
JSON = {"content-type": "application/json"}


def span(number: int, **changed: Any) -> dict[str, Any]:
    """A native span."""
    return {"span_id": f"s{number}", "started_at": 1.7676e9, "provider": "openai", "model": "gpt-4"} | changed


def request(*operations: str | None) -> dict[str, Any]:
    """An OTLP/JSON request with one span for each operation; None is a span that is no LLM call."""
    spans = [
        {
            "traceId": f"{number + 1:032x}",
            "spanId": f"{number + 1:016x}",
            "name": "call",
            "startTimeUnixNano": "1767600000000000000",
            "endTimeUnixNano": "1767600001000000000",
            "attributes": []
            if operation is None
            else [
                {"key": key, "value": {"stringValue": value}}
                for key, value in (
                    ("gen_ai.operation.name", operation),
                    ("gen_ai.provider.name", "openai"),
                    ("gen_ai.request.model", "gpt-4"),
                )
            ],
        }
        for number, operation in enumerate(operations)
    ]
    return {"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}


def protobuf(document: dict[str, Any]) -> bytes:
    """The same in protobuf, whose ids are bytes."""
    parsed = json_format.ParseDict(document, ExportTraceServiceRequest())
    for found in parsed.resource_spans[0].scope_spans[0].spans:
        found.trace_id, found.span_id = found.trace_id[-16:].rjust(16, b"\1"), found.span_id[-8:].rjust(8, b"\1")
    return parsed.SerializeToString()


# Native


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(span(1)),
        json.dumps([span(1)]),
        json.dumps(span(1)) + "\n",
    ],
)
def test_a_span_is_stored_when_the_answer_comes(body: str, api: Any, ok: Any) -> None:
    """An object, an array or a line of JSONL; the answer is the commit's."""
    assert ok(api.post("/v1/spans", body)) == {"stored": 1, "duplicates": 0, "rejected": 0}
    assert api.store.targets()[0]["spans"] == 1


def test_another_format_is_named_in_the_query(api: Any, ok: Any, problem: Any) -> None:
    """`?format=` names a built-in format or a field map of the configuration; an unknown name is refused."""
    maps = [FieldMapConfig(name="home", fields={"model": FieldRule(path="m"), "provider": FieldRule(value="openai")})]
    config = Config(kafka=KafkaConfig(field_map=maps))
    started = api.start(config=config, decode=keeping(config))
    assert ok(started.post("/v1/spans?format=home", b'[{"m": "gpt-4"}, {}]'))["stored"] == 1
    assert ok(started.post("/v1/spans?format=auto", json.dumps(request("chat")).encode()))["stored"] == 1
    assert "home" in problem(started.post("/v1/spans?format=nope", b"{}"), 400)


def test_lines_duplicates_and_rejects_are_counted(api: Any, ok: Any) -> None:
    """What could not become a span costs itself alone, and stands in the rejects with its reason."""
    lines = [span(1), span(2), span(1), span(3, model=""), span(4)]
    body = "\n".join(map(json.dumps, lines))
    assert ok(api.post("/v1/spans", body)) == {"stored": 3, "duplicates": 1, "rejected": 1}
    assert [row["reason"] for row in ok(api.get("/v1/rejects"))["rejects"]] == ["missing_model"]
    assert ok(api.post("/v1/spans", body)) == {"stored": 0, "duplicates": 4, "rejected": 1}


@pytest.mark.parametrize("body", [b"", b"nonsense", b"{", b"\xff\xfe", b'{"a": NaN}', b"[" * 100_000, b"\x00" * 100])
def test_what_is_no_span_is_a_reject_and_no_fault(body: bytes, api: Any, ok: Any) -> None:
    """Nothing is dropped silently: a body that cannot be read is one reject."""
    assert ok(api.post("/v1/spans", body))["rejected"] == 1
    assert len(ok(api.get("/v1/rejects"))["rejects"]) == 1


def test_no_two_bodies_get_the_same_place(api: Any, ok: Any) -> None:
    """Rejects are told apart by offset, also after a restart."""
    for _ in range(2):
        ok(api.post("/v1/spans", b"nonsense"))
    ok(api.start().post("/v1/spans", b"nonsense"))
    rows = ok(api.get("/v1/rejects"))["rejects"]
    assert {(row["topic"], row["offset"]) for row in rows} == {(HTTP, 0), (HTTP, 1), (HTTP, 2)}


def test_a_monitor_without_decoders_says_so(api: Any, problem: Any) -> None:
    """Spans by HTTP need the decoders that the command line wires in."""
    assert "decoders" in problem(api.start(decode=None).post("/v1/spans", b"{}"), 501)


def test_a_store_that_fails_keeps_nothing_and_says_try_again(
    api: Any, ok: Any, problem: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503 means that the same body can be sent again; then it is stored once."""

    def fail(_: Any) -> None:
        raise TryAgain("the disk is full")

    body = json.dumps(span(1))
    with monkeypatch.context() as broken:
        broken.setattr(api.store, "ingest", fail)
        response = api.post("/v1/spans", body)
        assert problem(response, 503) == "the disk is full"
        assert "retry-after" in response.headers
    assert ok(api.post("/v1/spans", body))["stored"] == 1


# Sizes


@pytest.fixture(name="small")
def _small(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(bodies, "LIMIT_BYTES", 5000)
    return 5000


def test_gzip_is_inflated(api: Any, ok: Any) -> None:
    """One member or several."""
    parts = [gzip.compress(json.dumps(span(n)).encode() + b"\n") for n in range(2)]
    assert ok(api.post("/v1/spans", b"".join(parts), headers={"content-encoding": "gzip"}))["stored"] == 2


def test_a_body_past_the_limit_is_refused(small: int, api: Any, problem: Any) -> None:
    """By its declared length, and by its real one when none is declared."""
    assert str(small) in problem(api.post("/v1/spans", b" " * (small + 1)), 413)

    async def chunks() -> Any:
        for _ in range(10):
            yield b" " * 1000

    assert str(small) in problem(api.post("/v1/spans", chunks()), 413)
    assert api.store.rejects() == []


@pytest.mark.parametrize("layers", [1, 5])
def test_a_bomb_is_refused_at_the_limit(layers: int, small: int, api: Any, problem: Any) -> None:
    """The cap is on what comes out, over all members together."""
    bomb = gzip.compress(b" " * (small // layers + 1)) * layers
    assert len(bomb) < small
    problem(api.post("/v1/spans", bomb, headers={"content-encoding": "gzip"}), 413)


def test_inflating_stops_at_the_limit() -> None:
    """A gigabyte of zeros in gzip costs its limit of memory and no more."""
    bomb = gzip.compress(bytes(50_000_000))
    tracemalloc.start()
    with pytest.raises(Problem, match="larger than 100000"):
        bodies.inflate(bomb, 100_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


@pytest.mark.parametrize(
    ("encoding", "body", "status"),
    [
        ("gzip", b"not gzip", 400),
        ("gzip", gzip.compress(b"{}", mtime=0)[:-4], 400),
        ("br", b"{}", 415),
        ("gzip, gzip", b"{}", 415),
    ],
)
def test_an_encoding_that_cannot_be_read_is_refused(
    encoding: str, body: bytes, status: int, api: Any, problem: Any
) -> None:
    """What is cut or unknown is told, and nothing is stored."""
    problem(api.post("/v1/spans", body, headers={"content-encoding": encoding}), status)
    assert api.store.rejects() == []


# OTLP


def test_otlp_json_is_stored(api: Any) -> None:
    """An LLM call becomes a span; a full success is an empty response."""
    response = api.post("/v1/traces", msgspec.json.encode(request("chat", None)), headers=JSON)
    assert (response.status_code, response.headers["content-type"], response.json()) == (200, "application/json", {})
    assert api.store.ingestion()["totals"]["stored"] == 1
    assert api.store.ingestion()["totals"]["skipped"] == 1


def test_otlp_protobuf_is_stored(api: Any) -> None:
    """The same in protobuf, also compressed; the answer is an empty message."""
    body = protobuf(request("chat"))
    response = api.post("/v1/traces", gzip.compress(body), headers=PROTOBUF | {"content-encoding": "gzip"})
    assert (response.status_code, response.headers["content-type"]) == (200, "application/x-protobuf")
    assert ExportTraceServiceResponse.FromString(response.content) == ExportTraceServiceResponse()
    assert api.store.ingestion()["totals"]["stored"] == 1


def test_refused_spans_are_a_partial_success(api: Any) -> None:
    """The exporter is told how many and why, and does not send them again."""
    document = request("chat", "chat")
    document["resourceSpans"][0]["scopeSpans"][0]["spans"][1]["spanId"] = ""
    response = api.post("/v1/traces", msgspec.json.encode(document), headers=JSON)
    assert response.status_code == 200
    told = response.json()["partialSuccess"]
    assert (told["rejectedSpans"], bool(told["errorMessage"])) == ("1", True)
    assert api.store.ingestion()["totals"]["stored"] == 1


def test_a_call_in_the_log_is_stored(api: Any) -> None:
    """GenAI events come as log records; those that are refused are counted in the words of that signal."""
    record = {
        "timeUnixNano": "1795171023164774000",
        "eventName": "gen_ai.client.inference.operation.details",
        "attributes": [
            {"key": f"gen_ai.{name}", "value": {"stringValue": value}}
            for name, value in (("operation.name", "chat"), ("provider.name", "openai"), ("request.model", "gpt-4o"))
        ],
    }
    document = {
        "resourceLogs": [{"scopeLogs": [{"logRecords": [record, record | {"attributes": record["attributes"][:1]}]}]}]
    }
    response = api.post("/v1/logs", msgspec.json.encode(document), headers=JSON)
    assert (response.status_code, response.json()["partialSuccess"]["rejectedLogRecords"]) == (200, "1")
    assert api.store.ingestion()["totals"]["stored"] == 1


def test_an_empty_request_is_a_success(api: Any) -> None:
    """OTLP/HTTP: nothing to do is done; OpenRouter's test of a connection sends nothing at all."""
    for path in ("/v1/traces", "/v1/logs"):
        assert api.post(path, b"", headers=PROTOBUF).status_code == 200
        for body in (b'{"resourceSpans": []}', b"{}", b""):
            assert api.post(path, body, headers=JSON | {"x-test-connection": "true"}).status_code == 200
    assert api.store.rejects() == []


@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
def test_what_is_no_request_is_400_with_a_status_and_a_reject(kind: dict[str, str], api: Any) -> None:
    """The body of a failure is google.rpc.Status in the encoding of the request."""
    response = api.post("/v1/traces", b"\xff\xff nonsense", headers=kind)
    assert (response.status_code, response.headers["content-type"]) == (400, kind["content-type"])
    status = Status()
    if kind is PROTOBUF:
        status.ParseFromString(response.content)
    else:
        json_format.Parse(response.content, status)
    assert status.code == 3
    assert "not an OTLP request" in status.message
    assert len(api.store.rejects()) == 1


def test_otlp_failures_are_statuses_too(api: Any, small: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too large is 413, a store that fails 503 with Retry-After, both as google.rpc.Status."""
    assert api.post("/v1/traces", b" " * (small + 1), headers=JSON).json()["code"] == 3

    def fail(_: Any) -> None:
        raise TryAgain("the disk is full")

    monkeypatch.setattr(api.store, "ingest", fail)
    response = api.post("/v1/traces", msgspec.json.encode(request("chat")), headers=JSON)
    assert (response.status_code, response.json()["code"], response.headers["retry-after"]) == (503, 14, "5")


def test_another_content_type_is_415(api: Any, problem: Any) -> None:
    """It is told which ones are read."""
    assert "application/x-protobuf" in problem(api.post("/v1/traces", b"", headers={"content-type": "text/plain"}), 415)


def test_mutated_requests_are_answered(api: Any) -> None:
    """Whatever a few broken bytes make of a request, there is an answer, never a fault of the monitor."""
    rng = random.Random(7)
    bodies_of = {"application/json": msgspec.json.encode(request("chat", None)), "application/x-protobuf": b""}
    bodies_of["application/x-protobuf"] = protobuf(request("chat", None))
    for _ in range(40):
        for kind, body in bodies_of.items():
            broken = bytearray(body)
            for _ in range(rng.randint(1, 4)):
                broken[rng.randrange(len(broken))] = rng.randrange(256)
            assert api.post("/v1/traces", bytes(broken), headers={"content-type": kind}).status_code in (200, 400)


def test_bodies_at_the_same_time_lose_nothing(api: Any) -> None:
    """Many threads, one store: every span once, every body under a place of its own."""
    intake = Intake(Monitor(api.store, api.watcher, None, api.config, api.clock, api.decode))
    sent = [msgspec.json.encode([span(n), span(n + 1)]) for n in range(0, 80, 2)]
    with ThreadPoolExecutor(8) as pool:
        done = [committed for _, committed in pool.map(lambda body: intake.take(body, "native"), sent)]
    assert sum(committed.stored for committed in done) == 80
    assert api.store.offsets(HTTP) == {0: 40}
