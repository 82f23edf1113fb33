"""Who wrote the spans of a message, whichever way it is read."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from tests.collectors.decode.both_ways import check, eager, messages

from undertow.batch import Decoded, instrumentations
from undertow.instrumentation import LENGTH, Instrumentation, named
from undertow_collectors.decode import otlp_columns
from undertow_collectors.decode.registry import decode
from undertow_collectors.decode.runs import decode_run
from undertow_collectors.files import messages as messages_of
from undertow_collectors.merge import Merge

__all__ = ["eager"]
pytestmark = pytest.mark.usefixtures("eager")

Attributes = Mapping[str, Any]
FORMATS = Path(__file__).parents[2] / "fixtures" / "formats"
CALL = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.usage.input_tokens": 11,
    "gen_ai.usage.output_tokens": 7,
}
HANDLER = Instrumentation("opentelemetry.util.genai.handler", "1.0b0")


def request(scope: str, version: str = "", spans: int = 2, seed: int = 0, attributes: Attributes = CALL) -> bytes:
    """An OTLP request of spans that one instrumentation wrote."""
    traces = TracesData()
    scoped = traces.resource_spans.add().scope_spans.add()
    scoped.scope.name, scoped.scope.version = scope, version
    for n in range(1000 * seed + 1, 1000 * seed + 1 + spans):
        start = 1_790_000_000_000_000_000 + 1000 * n
        span = scoped.spans.add(trace_id=n.to_bytes(16), span_id=n.to_bytes(8), name="chat", start_time_unix_nano=start)
        span.end_time_unix_nano = start + 10**9
        for key, value in attributes.items():
            kind = "int_value" if isinstance(value, int) else "string_value"
            setattr(span.attributes.add(key=key).value, kind, value)
    return traces.SerializeToString()


def written(decoded: Decoded) -> dict[str, int]:
    """Who wrote how many of the spans."""
    return {str(one): count for one, count in instrumentations(decoded).items()}


@pytest.mark.parametrize(
    "encoding", ["otlp_proto", "otlp_json", "jaeger_proto", "jaeger_json", "zipkin_proto", "zipkin_json"]
)
def test_the_scope_is_named_in_every_encoding(encoding: str) -> None:
    """The Collector writes the scope of its spans in six encodings, in all of which it is found."""
    found = Counter[Instrumentation]()
    for path in sorted((FORMATS / f"otelcol-{encoding}").glob("*.zst")):
        for message in messages_of(str(path)):
            found.update(instrumentations(decode(message)))
    assert found == {
        HANDLER: 5,
        Instrumentation("opentelemetry.instrumentation.openai_v2"): 1,
        Instrumentation("litellm", "1.106.2"): 2,
    }


def test_both_ways_name_the_same() -> None:
    """Runs over messages of several instrumentations tell of each what the slow way does."""
    sent = [request("lib.a", "1.0", seed=1), request("lib.b", "", seed=2), request("lib.a", "1.1", seed=3)]
    parts = check(messages([*sent, request("", "", seed=4), request("lib.a", "1.0", 3, seed=5)]))
    assert any(part.decoded.columns is not None for part in parts)
    total = sum((Counter(written(part.decoded)) for part in parts), Counter[str]())
    assert total == {"lib.a 1.0": 5, "lib.b": 2, "lib.a 1.1": 2, "otlp": 2}


def test_a_fast_way_that_names_another_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: a fast way that loses the version does not pass for the slow one."""
    monkeypatch.setattr(otlp_columns, "encoded", lambda found: f'["{found.name}", null]')
    with pytest.raises(AssertionError):
        check(messages([request("lib.a", "1.0", seed=1), request("lib.a", "1.0", seed=2)]))


def test_a_run_that_is_cut_is_counted_once() -> None:
    """Both pieces of a run name who wrote their spans, together as many as the run."""
    sent = messages([request(f"lib.{n % 3}", "1", seed=n) for n in range(20)])
    part = max(decode_run(sent), key=lambda part: part.decoded.count)
    merge = Merge()
    merge.open("lane", 0.0)
    first, second = merge.put("lane", *part).cut(10)
    pieces = Counter(written(first.decoded)) + Counter(written(second.decoded))
    assert pieces == written(part.decoded)
    assert len(pieces) == 3
    assert sum(written(first.decoded).values()) == 10


@pytest.mark.parametrize(
    "folder", ["own-traps-traceloop-openinference", "own-openlit-1.45.0", "kong", "litellm-1.108.7-otel-v2", "langfuse"]
)
def test_every_call_is_counted_once(folder: str) -> None:
    """As many spans are told apart by who wrote them as there are, also where two tell of one call."""
    for path in sorted((FORMATS / folder).iterdir()):
        if path.name.startswith(("traces", "ai-", "gateway", "ingestion")):
            for message in messages_of(str(path)):
                decoded = decode(message)
                assert sum(instrumentations(decoded).values()) == decoded.count


def test_other_logs_are_named_by_their_format_and_the_version_that_they_hold() -> None:
    """Kong's record has its version; a format that tells nothing of it has none."""
    [kong, *_] = messages_of(str(FORMATS / "kong" / "ai-gateway.jsonl"))
    assert {one.name for one in instrumentations(decode(kong))} == {"kong"}
    versions = {
        one.version
        for message in messages_of(str(FORMATS / "kong" / "ai-gateway.jsonl"))
        for one in instrumentations(decode(message))
    }
    assert versions - {None}
    [first, *_] = messages_of(str(FORMATS / "portkey" / "export.jsonl"))
    assert written(decode(first)) == {"portkey": 1}


def test_names_from_outside_are_cut_and_made_visible() -> None:
    """A name may be long or hold what a terminal obeys: the call stays, and so does what can be shown of the name."""
    parts = check(messages([request("x" * 5000, "9" * 300, seed=1), request("a\x1b[2J\u202eb", "1\n2", seed=2)]))
    names = [one for part in parts for one in instrumentations(part.decoded)]
    assert {len(name) for one in names for name in one if name[0] in "x9"} == {LENGTH}
    assert Instrumentation("a\ufffd[2J\ufffdb", "1\ufffd2") in names
    assert named("lib", "") == Instrumentation("lib", None)


def test_a_version_that_is_no_text_costs_no_call() -> None:
    """Bytes that are no UTF-8 in the version of a scope leave the spans as they are."""
    [part] = check(messages([request("lib", "QQ").replace(b"QQ", b"\xff1")]))
    assert written(part.decoded) == {"lib \ufffd1": 2}
    assert not part.decoded.rejects


@pytest.mark.parametrize(("scope", "named_at_all"), [("haystack", True), ("app.http", False)])
def test_what_wrote_no_call_is_named_where_it_is_known_to_be_wrong(scope: str, named_at_all: bool) -> None:
    """Haystack's spans are no calls, but hold prompts; other spans of a company's traces are not counted at all."""
    [message] = messages([request(scope, attributes={"haystack.pipeline.input_data": "prompt"})])
    decoded = decode(message)
    assert decoded.skipped == {"not_llm_call": 2}
    assert written(decoded) == ({scope: 0} if named_at_all else {})
