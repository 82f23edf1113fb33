"""What LiteLLM exports in each of its ways, held to what the provider served (recorded by tests/litellm/record.py)."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from tests.collectors.decode import both_ways
from tests.litellm.traffic import AGAIN, KINDS, plan

from undertow.batch import Decoded, Message
from undertow.span import Span
from undertow_collectors import files
from undertow_collectors.decode import repeats
from undertow_collectors.decode.registry import decode, inflate

FORMATS = Path(__file__).parents[2] / "fixtures" / "formats"
FOLDERS = sorted(FORMATS.glob("litellm-1.1[01]*"))
CACHED = sorted(FORMATS.glob("litellm-1.110.*"))
UNMARKED = {"litellm-1.110.2-langfuse"}
"""Whose cached answers look like calls: LiteLLM's spans in OpenInference's names say nothing of its cache."""
OLDER = sorted(FORMATS.glob("litellm-1.80.*"))
LLAMA = FORMATS / "llama-cpp-python-0.3.36-litellm"
ERRORS = {429: "rate_limited", 500: "server_error", 400: "invalid_request", 401: "auth"}

GONE = {ask.number for ask in plan(len(KINDS)) if ask.gone}
Row = dict[str, Any]


@pytest.fixture(name="folder", params=FOLDERS, ids=lambda folder: folder.name)
def _folder(request: pytest.FixtureRequest) -> Path:
    folder: Path = request.param
    return folder


@pytest.fixture(name="decoded")
def _decoded(folder: Path) -> list[Decoded]:
    return decoded_of(folder)


def decoded_of(folder: Path) -> list[Decoded]:
    """What became of each message of a recording."""
    names = sorted(path for path in folder.iterdir() if path.name != "served.jsonl")
    return [decode(message) for path in names for message in files.messages(str(path))]


def joined(folder: Path) -> list[Decoded]:
    """The same with all bodies of traces as one message."""
    bodies = [message for path in sorted(folder.glob("traces-*")) for message in files.messages(str(path))]
    return [decode(Message(bodies[0].origin, b"".join(m.value for m in bodies)))] if bodies else decoded_of(folder)


@pytest.fixture(name="spans")
def _spans(decoded: list[Decoded]) -> list[Span]:
    return [span for d in decoded for span in d.spans]


@pytest.fixture(name="served")
def _served(folder: Path) -> list[Row]:
    """What the provider served and LiteLLM logs: of each client request the first failed attempt, and the answer."""
    ordered = sorted(served_of(folder), key=lambda row: (row["request"], row["at"]))
    if folder.name.endswith("callback"):
        return ordered  # it ships those that LiteLLM does not log, too
    again = [row for row in ordered if folder.name in UNMARKED and row["request"] in AGAIN]
    return [row for _, attempts in groupby(ordered, key=lambda row: row["request"]) for row in logged(attempts)] + again


def served_of(folder: Path) -> list[Row]:
    """Every attempt that reached the provider."""
    return [json.loads(line) for line in (folder / "served.jsonl").read_text().splitlines()]


def logged(attempts: Iterable[Row]) -> Iterator[Row]:
    """Of one client request."""
    failures = 0
    for row in attempts:
        failures += failed(row)
        if not failed(row) or failures == 1:
            yield row


def failed(row: Row) -> bool:
    """Whether there was no whole answer."""
    return row["outcome"] in ("error", "timeout", "cut")


def error_class(row: Row) -> str:
    """The class of a failure."""
    if row["outcome"] != "error":
        return {"timeout": "timeout", "cut": "connection"}[row["outcome"]]
    return "content_filter" if row["model"] == "filtered" else ERRORS[row["status"]]


def test_nothing_is_rejected(decoded: list[Decoded]) -> None:
    """Each message is read."""
    assert [reject for d in decoded for reject in d.rejects] == []


def test_every_answer_is_one_span(spans: list[Span], served: list[Row]) -> None:
    """Chats by the provider's id, embeddings, which have none, by their number."""
    found = Counter(span.response_id for span in spans if span.status != "error" and span.operation == "chat")
    assert found == Counter(row["id"] for row in served if not failed(row) and row["operation"] == "chat")
    embeddings = [span for span in spans if span.status != "error" and span.operation == "embeddings"]
    assert len(embeddings) == sum(row["operation"] == "embeddings" and not failed(row) for row in served)


def test_every_failure_is_one_span(spans: list[Span], served: list[Row]) -> None:
    """Of its class."""
    found = Counter(span.error_class for span in spans if span.status == "error")
    assert found == Counter(map(error_class, filter(failed, served)))


def test_tokens_are_the_providers(spans: list[Span], served: list[Row]) -> None:
    """Of each whole answer that its client waited for."""
    answers = {
        row["id"]: row for row in served if row["outcome"] == "ok" and "id" in row and row["request"] not in GONE
    }
    chats = [span for span in spans if span.status == "ok" and span.response_id in answers]
    for span in chats:
        row = answers[span.response_id or ""]
        assert (span.input_tokens, span.output_tokens) == (row["prompt_tokens"], row["completion_tokens"]), row
        assert span.finish_reason in (row["finish_reason"], None), row
    assert {span.response_id for span in chats} == answers.keys()


def test_spans_have_ids_of_their_own(spans: list[Span]) -> None:
    """Attempts of one request among them."""
    assert len({span.span_id for span in spans}) == len(spans)


def test_an_alias_is_never_the_providers_model(spans: list[Span], served: list[Row]) -> None:
    """LiteLLM puts the group's name over the model that answered; what is told is what the provider said."""
    said = {row["id"]: row["served"] for row in served if "id" in row}
    chats = [span for span in spans if span.operation == "chat" and span.response_model]
    assert chats
    assert {span.response_id: span.response_model for span in chats}.items() <= said.items()


def test_fallback_answers_are_marked(folder: Path, served: list[Row]) -> None:
    """In all that came of one proxy: chats in one piece by each way, streams where attempts can be joined."""
    traces = any(folder.glob("traces-*"))
    answered = [span for d in joined(folder) for span in d.spans if span.status != "error" and span.operation == "chat"]
    marked = Counter(span.stream for span in answered if span.fallback)
    after_failure = {row["request"] for row in served if failed(row) and row["model"] in ("fail-429", "fail-500")}
    answers = [row for row in served if row["request"] in after_failure and not failed(row)]
    expected = Counter(row["stream"] for row in answers)
    assert expected == {True: 2, False: 2}
    assert marked[True] == (2 if traces or folder.name.endswith("callback") else 0)
    assert marked.total() - marked[True] == 2


@pytest.mark.parametrize("folder", OLDER, ids=lambda folder: folder.name)
def test_an_older_version_tells_nothing_twice(folder: Path) -> None:
    """LiteLLM 1.80 leaves out answers after failed attempts and some failures; what it tells is there once.

    It takes a stream that broke off for an answer, and does not ask for the usage of streams but counts by itself.
    """
    spans, rows = [span for d in decoded_of(folder) for span in d.spans], served_of(folder)
    answers = {row["id"]: row for row in rows if "id" in row}
    found = Counter(span.response_id for span in spans if span.status == "ok" and span.operation == "chat")
    assert found.keys() <= answers.keys()
    assert set(found.values()) == {1}
    whole = [answers[span.response_id or ""] | {"span": span} for span in spans if span.response_id in answers]
    told = [row for row in whole if row["outcome"] == "ok" and row["usage_sent"] and row["request"] not in GONE]
    assert len(told) > 10
    for row in told:
        assert (row["span"].input_tokens, row["span"].output_tokens) == (row["prompt_tokens"], row["completion_tokens"])
    assert len({span.span_id for span in spans}) == len(spans)
    failures = Counter(span.error_class for span in spans if span.status == "error")
    assert failures.total() <= sum(map(failed, rows))
    assert failures.keys() <= {*map(error_class, filter(failed, rows))}


@pytest.mark.parametrize("folder", CACHED, ids=lambda folder: folder.name)
def test_an_answer_out_of_the_cache_is_no_call(folder: Path) -> None:
    """Of the requests that were made once more, none reached the provider, and none is a call where spans say so."""
    skipped = sum((d.skipped for d in joined(folder)), Counter[str]())
    assert skipped["cached_answer"] == (0 if folder.name in UNMARKED else len(AGAIN))
    assert skipped["unrecognised"] == 0
    assert [row["attempt"] for row in served_of(folder) if row["request"] in AGAIN] == [0] * len(AGAIN)


def test_what_is_around_a_cached_answer_is_joined_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server's span around it names a model, and would be unrecognised if only calls had wrappers."""
    monkeypatch.setattr(repeats, "_UNSENT", frozenset())
    (body,) = joined(FORMATS / "litellm-1.110.2-otel-v2")
    assert body.skipped["unrecognised"] >= len(AGAIN)


@pytest.mark.parametrize("folder", CACHED, ids=lambda folder: folder.name)
def test_a_client_that_left_is_told_by_the_callback_alone(folder: Path) -> None:
    """LiteLLM's own spans have a stream that its client left as an answer."""
    (left,) = {row["id"] for row in served_of(folder) if row["request"] in GONE}
    statuses = {span.status for d in decoded_of(folder) for span in d.spans if span.response_id == left}
    assert statuses == ({"cancelled"} if folder.name.endswith("callback") else {"ok"})


@pytest.mark.parametrize("folder", [*FOLDERS, *OLDER, LLAMA], ids=lambda folder: folder.name)
def test_many_bodies_at_once_say_the_same(folder: Path) -> None:
    """What decodes a poll straight into columns, where it can, says what decoding each body by itself does."""
    paths = sorted(folder.glob("[!s]*"))
    both_ways.check(both_ways.messages([inflate(m.value) for path in paths for m in files.messages(str(path))]))


@pytest.mark.parametrize("way", ["records", "traces"])
def test_a_llama_cpp_server_behind_litellm(way: str) -> None:
    """What the server answered, by the callback and by OpenTelemetry; tokens of streams are LiteLLM's own count."""
    found = [
        span for path in sorted(LLAMA.glob(f"{way}*")) for m in files.messages(str(path)) for span in decode(m).spans
    ]
    rows = served_of(LLAMA)
    assert len(found) == len(rows)
    for span, row in zip(sorted(found, key=lambda span: span.started_at), rows, strict=True):
        assert (span.model, span.provider, bool(span.stream)) == ("llama", "openai", "stream" in row["asked"])
        if row["status"] == 400:
            assert (span.status, span.error_class, span.http_status) == ("error", "invalid_request", 400)
        elif span.stream:
            assert f'"id": "{span.response_id}"' in row["answer"]
            assert "usage" not in row["answer"]
            assert 0 < (span.output_tokens or 0) < row["asked"]["max_tokens"]
        else:
            answer = json.loads(row["answer"])
            usage, reason = answer["usage"], answer["choices"][0]["finish_reason"]
            assert (span.response_id, span.finish_reason) == (answer["id"], reason)
            assert (span.input_tokens, span.output_tokens) == (usage["prompt_tokens"], usage["completion_tokens"])
