"""A fake provider on loopback that writes down every request before it answers, one JSON object a line.

A driver says which call it makes, and what should come of it, in the header `x-call: NUMBER KIND [FAULT]`. KIND is a
name in `answers.KINDS`; FAULT is an HTTP status, `STATUS-once` (the client's own retry is answered), `slow` (nothing
comes in time), `cut` (the stream ends in the middle of it), `broken` (an error event in the stream) or `left` (the
client closes the stream; the upstream does not notice).
"""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import answers
import answers_gemini
import answers_responses
from answers import KINDS, Answer

FIRST_CHUNK_S = 0.02
CHUNK_S = 0.002
SLOW_S = 1.5
ERRORS = {
    400: ("invalid_request_error", "invalid_value"),
    401: ("authentication_error", "invalid_api_key"),
    404: ("not_found_error", "model_not_found"),
    429: ("rate_limit_error", "rate_limit_exceeded"),
    500: ("api_error", "server_error"),
    529: ("overloaded_error", None),
}
PREFIXES = {
    "chat": "chatcmpl-",
    "text_completion": "cmpl-",
    "responses": "resp_",
    "messages": "msg_",
    "generate_content": "",
}
PROVIDERS = {"messages": "anthropic", "generate_content": "gcp.gemini"}
"""Who an API belongs to; the others are OpenAI's."""

APIS = {
    "/chat/completions": "chat",
    "/completions": "text_completion",
    "/embeddings": "embeddings",
    "/responses": "responses",
    "/messages": "messages",
}


class Handler(BaseHTTPRequestHandler):
    """One connection of a client."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    log_path: Path
    lock = threading.Lock()

    def handle(self) -> None:
        """Serve until the client closes, or drops, the connection."""
        with suppress(ConnectionError):
            super().handle()

    def log_message(self, *_: Any) -> None:
        """Nothing on standard error."""

    def do_POST(self) -> None:
        """Write down what one call gets, and serve it."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        path = self.path.partition("?")[0]
        gemini = answers_gemini.asked(path, body)
        body |= gemini
        api = "generate_content" if gemini else next(name for end, name in APIS.items() if path.endswith(end))
        number, kind, *fault = self.headers["x-call"].split()
        attempt = int(self.headers.get("x-stainless-retry-count", 0))
        model = body["model"]
        answer = Answer(int(number), attempt, model, KINDS[kind])
        azure = "/deployments/" in path
        served = Served(self, api, answer, body, fault[0] if fault else "", azure)
        served.record |= {
            "kind": kind,
            "helper": self.headers.get("x-stainless-stream-helper"),
            "raw": self.headers.get("x-stainless-raw-response"),
            "asynchronous": self.headers.get("x-stainless-async", "false") != "false",
        }
        served.tell()
        with self.lock, self.log_path.open("a") as log:
            known = {name: value for name, value in served.record.items() if value is not None}
            log.write(json.dumps(known, separators=(",", ":")) + "\n")
        served.run()


class Served:
    """One request, and what it is answered, in `record`."""

    def __init__(
        self, handler: Handler, api: str, answer: Answer, body: dict[str, Any], fault: str, azure: bool
    ) -> None:
        self.handler, self.api, self.answer, self.body = handler, api, answer, body
        self.fault = "" if fault.endswith("-once") and answer.attempt else fault.removesuffix("-once")
        self.azure = azure
        self.stream = bool(body.get("stream"))
        self.include_usage = bool((body.get("stream_options") or {}).get("include_usage"))
        self.record: dict[str, Any] = {
            "call": answer.call,
            "attempt": answer.attempt,
            "api": api,
            "provider": "azure.ai.openai" if azure else PROVIDERS.get(api, "openai"),
            "model": answer.model,
            "choices": body.get("n"),
            "stream": self.stream,
            "max_tokens": body.get("max_tokens") or body.get("max_completion_tokens") or body.get("max_output_tokens"),
            "temperature": body.get("temperature"),
            "status": 200,
            "fault": self.fault or None,
        }

    def tell(self) -> None:
        """Fill `record` with what the client is going to be told."""
        if self.fault.isdecimal():
            self.record["status"] = int(self.fault)
        elif self.fault == "slow":
            self.record["status"] = None
        else:
            self._tell_answer()

    def run(self) -> None:
        """Answer, or fail as asked."""
        if self.fault.isdecimal():
            self._refuse(int(self.fault))
        elif self.fault == "slow":
            time.sleep(SLOW_S)
            self.handler.close_connection = True
        elif self.stream:
            self._stream()
        else:
            self._send(200, self._whole())

    def _refuse(self, status: int) -> None:
        kind, code = ERRORS[status]
        message = f"fault of call {self.answer.call}"
        error = {"error": {"type": kind, "message": message, "param": None, "code": code}}
        if self.api == "generate_content":
            error = answers_gemini.error(status, message)
        self._send(status, {"type": "error"} | error if self.api == "messages" else error)

    def _whole(self) -> dict[str, Any]:
        match self.api:
            case "chat":
                return answers.chat(self.answer, self.body.get("n") or 1)
            case "text_completion":
                return answers.completion(self.answer)
            case "embeddings":
                texts = self.body["input"]
                base64 = self.body.get("encoding_format") == "base64"
                return answers.embeddings(self.answer, len(texts) if isinstance(texts, list) else 1, base64)
            case "responses":
                return answers_responses.response(self.answer)
            case "generate_content":
                return answers_gemini.whole(self.answer)
        return answers_responses.message(self.answer)

    def _tell_answer(self) -> None:
        """Of usage, what is sent before the answer breaks off."""
        answer, generates = self.answer, self.api != "embeddings"
        broken = self.fault in ("cut", "broken")
        asks = self._sends_usage() if self.stream else True
        begun = asks and (not broken or self.api == "messages")  # whose first event counts the prompt
        zero = None if self.api == "generate_content" else 0  # Gemini leaves it out
        detailed = begun and self.api not in ("embeddings", "text_completion")
        self.record |= {
            "id": f"{PREFIXES[self.api]}{answer.key}" if generates else None,
            "response_model": answer.served_model if generates else answer.model,
            "fingerprint": answer.fingerprint if self.api in ("chat", "text_completion") else None,
            "finish_reason": self._reason() if generates and not broken else None,
            "input_tokens": answer.input_tokens if begun else None,
            "output_tokens": answer.output_tokens if asks and generates and not broken else None,
            "cached_tokens": answer.kind.cached or zero if detailed else None,
            "reasoning_tokens": answer.kind.reasoning or zero if detailed and self.api != "messages" else None,
            "tool_calls": answer.kind.tools if generates else None,
            "chars": len(answer.text) if generates else None,
            "refusal": answer.kind.refusal if generates else None,
        }

    def _reason(self) -> str:
        reason = self.answer.kind.anthropic if self.api == "messages" else self.answer.kind.openai
        if self.api == "generate_content":
            return answers_gemini.REASONS[reason].lower()
        if self.api == "responses":  # which has a status instead
            return "max_output_tokens" if reason == "length" else "completed"
        return reason

    def _send(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.handler.send_response(status)
        self.handler.send_header("content-type", "application/json")
        self.handler.send_header("content-length", str(len(data)))
        self.handler.send_header("retry-after-ms", "20")
        self.handler.send_header("x-request-id", f"req_{self.answer.key}")
        self.handler.end_headers()
        self.handler.wfile.write(data)

    def _stream(self) -> None:
        parts = list(self._parts())
        self.handler.send_response(200)
        self.handler.send_header("content-type", "text/event-stream")
        self.handler.send_header("transfer-encoding", "chunked")
        self.handler.end_headers()
        with suppress(ConnectionError):
            self._write(parts)

    def _sends_usage(self) -> bool:
        return self.api in ("responses", "messages", "generate_content") or self.include_usage

    def _write(self, parts: list[str]) -> None:
        time.sleep(FIRST_CHUNK_S)
        for n, part in enumerate(parts):
            if self.fault in ("cut", "broken") and n >= 3:
                break
            data = part.encode()
            self.handler.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.handler.wfile.flush()
            time.sleep(CHUNK_S)
        if self.fault == "cut":
            self.handler.close_connection = True
            return
        self.handler.wfile.write(b"0\r\n\r\n")

    def _parts(self) -> Iterator[str]:
        if self.api == "chat":
            chunks = answers.chat_chunks(self.answer, self.include_usage)
            if self.azure:
                filtered = {"prompt_filter_results": [{"prompt_index": 0, "content_filter_results": {}}]}
                chunks = [chunks[0] | {"id": "", "model": "", "choices": []} | filtered, *chunks]
            parts = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks] + ["data: [DONE]\n\n"]
        elif self.api == "generate_content":
            parts = [f"data: {json.dumps(chunk)}\r\n\r\n" for chunk in answers_gemini.chunks(self.answer)]
        else:
            make = answers_responses.message_events if self.api == "messages" else answers_responses.response_events
            parts = [f"event: {name}\ndata: {json.dumps(data)}\n\n" for name, data in make(self.answer)]
        yield from parts[:2]
        if self.fault == "broken":
            yield self._broken()
        yield from parts[2:]

    def _broken(self) -> str:
        error = {"type": "overloaded_error", "message": "fault in the stream", "code": "server_error", "param": None}
        if self.api == "messages":
            return f"event: error\ndata: {json.dumps({'type': 'error', 'error': error})}\n\n"
        return f"data: {json.dumps({'error': error})}\n\n"


def serve(log_path: Path) -> ThreadingHTTPServer:
    """A running upstream on a free port; `shutdown` ends it."""
    handler = type("LoggingHandler", (Handler,), {"log_path": log_path})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
