"""A provider on loopback that speaks OpenAI's API, misbehaves by the model's name, and keeps a log of what it served.

Models of `answers.ERRORS` always fail; `flaky` fails twice for each request and then answers; `slow` never answers;
`cut` breaks off its streams. Each request that arrives becomes one line of the log, written when it is over.
"""

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from tests.litellm.answers import ERRORS, Answer, answer, number_of, prompt_of
from tests.programs import free_ports

FLAKY_FAILURES = 2
CUT_AFTER = 7
PAUSE_S = 0.002
"""Between the chunks of a stream."""


class BrokenOffError(Exception):
    """Ends a stream without its last chunk."""


class Upstream:
    """The application, and its log: one dict a request, also appended to `file` as a line of JSON."""

    def __init__(self, file: Path | None = None) -> None:
        self.terse = False  # answers in half as many words, as after an update that nobody announced
        self.log: list[dict[str, Any]] = []
        self._file = file
        self._attempts: Counter[tuple[int, str]] = Counter()
        chat, embed = Route("/{p:path}/chat/completions", self.chat, methods=["POST"]), self.embed
        self.app = Starlette(routes=[chat, Route("/{p:path}/embeddings", embed, methods=["POST"])])

    async def chat(self, request: Request) -> Response:
        """POST .../chat/completions."""
        body = await request.json()
        row = self._row(body, "chat")
        attempt = row["attempt"]
        error = ERRORS["fail-500"] if body["model"] == "flaky" and attempt < FLAKY_FAILURES else None
        error = ERRORS.get(body["model"], error)
        if error:
            return self._fail(row, *error)
        if body["model"] == "slow":
            while not await request.is_disconnected():
                await asyncio.sleep(0.02)
            self._write(row | {"status": None, "outcome": "timeout"})
            return Response()
        found = answer(body, attempt)
        if self.terse:
            found = replace(found, words=found.words[: len(found.words) // 2])
        row |= {
            "id": found.id,
            "served": found.model,
            "system_fingerprint": found.fingerprint,
            "prompt_tokens": found.prompt_tokens,
            "completion_tokens": found.completion_tokens,
            "finish_reason": found.finish_reason,
            "tool_calls": len(found.tool_calls),
            "refused": found.refusal,
        }
        if body.get("stream"):
            asked = bool((body.get("stream_options") or {}).get("include_usage"))
            usage = asked or body["model"].startswith("mistral")  # which sends it unasked
            return StreamingResponse(self._stream(row, found, usage), media_type="text/event-stream")
        self._write(row | {"usage_sent": True})
        return JSONResponse(whole(found))

    async def embed(self, request: Request) -> Response:
        """POST .../embeddings."""
        body = await request.json()
        row = self._row(body, "embeddings")
        if body["model"] in ERRORS:
            return self._fail(row, *ERRORS[body["model"]])
        tokens = len(prompt_of(body).split())
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        data = [{"object": "embedding", "index": 0, "embedding": [0.1, 0.2, 0.3]}]
        self._write(row | {"prompt_tokens": tokens, "usage_sent": True})
        return JSONResponse({"object": "list", "model": body["model"], "data": data, "usage": usage})

    async def _stream(self, row: dict[str, Any], found: Answer, usage: bool) -> AsyncIterator[str]:
        row |= {"usage_sent": usage, "outcome": "gone"}
        try:
            for sent, chunk in enumerate(chunks(found, usage)):
                if row["model"] == "cut" and sent == CUT_AFTER:
                    row["outcome"] = "cut"
                    raise BrokenOffError
                yield f"data: {json.dumps(chunk)}\n\n"
                await asyncio.sleep(PAUSE_S)
            yield "data: [DONE]\n\n"
            row["outcome"] = "ok"
        finally:
            self._write(row)

    def _row(self, body: dict[str, Any], operation: str) -> dict[str, Any]:
        number, model = number_of(body), body["model"]
        attempt = self._attempts[number, model]
        self._attempts[number, model] += 1
        return {
            "request": number,
            "attempt": attempt,
            "model": model,
            "operation": operation,
            "stream": bool(body.get("stream")),
            "at": time.time(),
            "status": 200,
            "outcome": "ok",
        }

    def _fail(self, row: dict[str, Any], status: int, error: dict[str, Any]) -> Response:
        self._write(row | {"status": status, "outcome": "error"})
        return JSONResponse({"error": error | {"param": None}}, status)

    def _write(self, row: dict[str, Any]) -> None:
        self.log.append(row)
        if self._file:
            with self._file.open("a") as lines:
                lines.write(json.dumps(row) + "\n")


def whole(found: Answer) -> dict[str, Any]:
    """An answer in one piece."""
    message: dict[str, Any] = {"role": "assistant", "content": " ".join(found.words) or None, "refusal": None}
    if found.refusal:
        message |= {"content": None, "refusal": " ".join(found.words)}
    if found.tool_calls:
        message["tool_calls"] = found.tool_calls
    choice = {"index": 0, "message": message, "finish_reason": found.finish_reason, "logprobs": None}
    return _envelope(found, "chat.completion") | {"choices": [choice], "usage": found.usage}


def chunks(found: Answer, usage: bool) -> Iterator[dict[str, Any]]:
    """The same in pieces, as server-sent events carry them; `usage` asks for a last one with the tokens."""
    envelope = _envelope(found, "chat.completion.chunk")

    def chunk(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
        return envelope | {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}

    yield chunk({"role": "assistant", "content": ""})
    for n, word in enumerate(found.words):
        yield chunk({"content": f" {word}" if n else word})
    for n, call in enumerate(found.tool_calls):
        yield chunk({"tool_calls": [{"index": n} | call]})
    yield chunk({}, found.finish_reason)
    if usage:
        yield envelope | {"choices": [], "usage": found.usage}


def _envelope(found: Answer, kind: str) -> dict[str, Any]:
    named = {"id": found.id, "object": kind, "created": int(time.time()), "model": found.model}
    named |= {"service_tier": "default"}  # LiteLLM fails on a Groq answer without one
    return named | ({"system_fingerprint": found.fingerprint} if found.fingerprint else {})


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """An ASGI application on a free port of the loopback address, in a thread; its base URL."""
    (port,) = free_ports(1)
    config = uvicorn.Config(
        app, host="127.0.0.1", port=port, log_level="critical", lifespan="off",
        timeout_keep_alive=3_600,  # a connection that closes while it is taken up again fails an attempt unserved
    )  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + 10
    while not server.started:
        if time.monotonic() > until:
            raise TimeoutError(f"nothing listens on port {port}")
        time.sleep(0.01)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(10)
