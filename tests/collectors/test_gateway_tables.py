"""The recipe of docs/shipping.md for one-api and new-api, on rows that they wrote."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.served import FORMATS

from undertow.batch import Decoded, Message, Origin
from undertow.loading import load
from undertow.span import Span
from undertow_collectors.decode.maps import Maps, compiled
from undertow_collectors.decode.registry import decode

GUIDE = Path(__file__).parents[2] / "docs" / "shipping.md"
ONE_API, NEW_API = "one-api-0.6.11", "new-api-0.6.3"
FAILED, CUT = ("429", "500"), "cut"


@pytest.fixture(name="maps")
def _maps(tmp_path: Path) -> Maps:
    """The field maps of the guide."""
    section = GUIDE.read_text().partition("## one-api and new-api")[2]
    (path := tmp_path / "undertow.toml").write_text(re.findall(r"```toml\n(.*?)```", section, re.DOTALL)[0])
    config = load(path, {})
    assert config.kafka is not None
    return compiled(config.kafka.field_map)


def rows(name: str) -> list[dict[str, Any]]:
    """The rows that a gateway wrote."""
    return [json.loads(line) for line in (FORMATS / name / "logs.jsonl").read_text().splitlines()]


def read(maps: Maps, row: dict[str, Any]) -> Decoded:
    """A row off a topic."""
    return decode(Message(Origin("gateway_log", 3, 14), json.dumps(row).encode(), 1_800_000_000.0), maps=maps)


def spans(maps: Maps, name: str) -> list[Span]:
    """The spans of all rows of a gateway."""
    found = [read(maps, row) for row in rows(name)]
    assert {decoded.format for decoded in found} == {name.rpartition("-")[0]}
    assert not any(decoded.rejects for decoded in found)
    return [span for decoded in found for span in decoded.spans]


def served(name: str) -> list[dict[str, Any]]:
    """What the provider served, without the calls that it refused."""
    lines = (FORMATS / name / "payloads.jsonl").read_text().splitlines()
    return [call for call in map(json.loads, lines) if call.get("fault") not in FAILED]


def beside_the_input(call: dict[str, Any]) -> int:
    """Tokens of Anthropic's cache, which both leave out: 32 are read and 16 written."""
    return 48 if call["api"] == "messages" and call["kind"] == "cached" else 0


@pytest.mark.parametrize("name", [ONE_API, NEW_API])
def test_rows_are_the_calls_that_were_answered(maps: Maps, name: str) -> None:
    """Each call that the provider answered is one span, with its provider, model, operation and tokens."""
    told = {(span.provider, span.model, span.operation, span.stream, span.input_tokens) for span in spans(maps, name)}
    expected = {
        (
            call["provider"],
            call["model"],
            "embeddings" if call["api"] == "embeddings" else "chat",
            call["stream"],
            14 if call.get("fault") == CUT else call["input_tokens"] - beside_the_input(call),
        )
        for call in served(name)
    }
    assert told == expected
    assert len(rows(name)) == len(served(name))


@pytest.mark.parametrize(("name", "more"), [(ONE_API, 1), (NEW_API, 0)])
def test_rows_count_the_output(maps: Maps, name: str, more: int) -> None:
    """Output is what was served; of a broken stream it is a guess, and one-api adds one to Anthropic's streams."""
    found = sorted(span.output_tokens or 0 for span in spans(maps, name))
    expected = sorted(
        3
        if call.get("fault") == CUT
        else call.get("output_tokens", 0) + more * (call["stream"] and call["api"] == "messages")
        for call in served(name)
    )
    assert found == expected


def test_times_of_rows_are_sane(maps: Maps) -> None:
    """Rows have the moment of the end; what new-api did not measure (-1000 ms, no whole second) is unknown."""
    for row in rows(ONE_API):
        (span,) = read(maps, row).spans
        assert span.duration_s == row["elapsed_time"] / 1000
        assert span.started_at == pytest.approx(row["created_at"] - span.duration_s)
    for row in rows(NEW_API):
        (span,) = read(maps, row).spans
        waited = json.loads(row["other"])["frt"]
        assert span.ttft_s == (waited / 1000 if row["is_stream"] else None)
        assert span.duration_s == (None if row["is_stream"] else 0)


def test_ids_come_from_the_rows(maps: Maps) -> None:
    """A row that is shipped twice has the same id, and no two rows share one."""
    for name, key in ((ONE_API, "request_id"), (NEW_API, "id")):
        assert [span.span_id for span in spans(maps, name)] == [str(row[key]) for row in rows(name)]


def test_a_failure_of_new_api(maps: Maps) -> None:
    """A row of type 5 is a failed call with the provider's status and no tokens; other types are no calls."""
    other = {"error_type": "openai_error", "error_code": "rate_limit_exceeded", "status_code": 429, "channel_id": 1}
    nothing = {"prompt_tokens": 0, "completion_tokens": 0, "quota": 0}
    (span,) = read(maps, rows(NEW_API)[0] | nothing | {"type": 5, "other": json.dumps(other)}).spans
    assert (span.status, span.error_class, span.http_status) == ("error", "rate_limited", 429)
    assert (span.input_tokens, span.output_tokens) == (None, None)
    assert read(maps, rows(NEW_API)[0] | {"type": 1}).rejects[0].reason == "invalid_status"
