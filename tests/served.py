"""A running `undertow serve`, or a program like it, and the HTTP receiver that it tells."""

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np

DEADLINE_S = 30.0
SERVE = ("-m", "undertow.cli", "serve")
START = 1_767_571_200.0


class Served:
    """A running monitor; its standard error is in `log`."""

    def __init__(self, folder: Path, *arguments: str, program: Sequence[str] = SERVE, **environ: str) -> None:
        self.log = folder / "serve.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, *program, *arguments],
                cwd=folder,
                env=os.environ | environ,
                stdout=subprocess.PIPE,
                stderr=log,
            )

    def ready(self) -> str:
        """The URL of the ready line."""
        found = self.until(lambda: re.search(r"ready on (http://\S+?)[\"\s]", self.log.read_text()))
        return found[1]

    def until(self, condition: Callable[[], object], deadline_s: float = DEADLINE_S) -> Any:
        """The first true value of `condition` before the deadline."""
        deadline = time.monotonic() + deadline_s
        while time.monotonic() < deadline:
            if value := condition():
                return value
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.02)
        raise AssertionError(f"still not so after {deadline_s} s: {self.log.read_text()}")

    def ended(self, timeout_s: float = 10.0) -> int:
        """The exit code, within ten seconds or as many as are given."""
        return self.process.wait(timeout_s)

    def kill(self) -> None:
        """Kill it, if it lives, and let go of its output; as often as one likes."""
        self.process.kill()
        self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()


@dataclass(frozen=True)
class Post:
    """One request that a receiver got: when, in Unix seconds, where, and what."""

    at: float
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)


class Inbox(ThreadingHTTPServer):
    """Takes everything that is posted on this machine."""

    def __init__(self) -> None:
        self.posts: list[Post] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        """Where to post."""
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Inbox

    def do_POST(self) -> None:
        length = int(self.headers["content-length"])
        body = self.rfile.read(length)
        if len(body) < length:  # The sender was killed between a request's head and its end.
            self.close_connection = True
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.posts.append(Post(time.time(), self.path, headers, body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Silence."""


@contextmanager
def inbox() -> Iterator[Inbox]:
    """A receiver, as long as the block lasts."""
    receiver = Inbox()
    thread = threading.Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.shutdown()
        thread.join()
        receiver.server_close()


def spans(
    model: str,
    numbers: range,
    *,
    factor: float = 1.0,
    provider: str = "openai",
    start: float = START,
    every_s: float = 10.0,
) -> list[dict[str, object]]:
    """Calls of one target, one `every_s` seconds; answers are `factor` times as long as usual."""
    rng = np.random.default_rng([*model.encode(), numbers.start])
    inputs = rng.lognormal(5, 0.6, len(numbers))
    outputs = rng.lognormal(5, 0.5, len(numbers)) * factor
    return [
        {
            "span_id": f"{provider}-{model}-{number}",
            "started_at": start + every_s * number,
            "gateway": "edge",
            "provider": provider,
            "model": model,
            "route": "chat",
            "input_tokens": int(inputs[i]) + 1,
            "output_tokens": int(outputs[i]) + 1,
            "duration_s": 1.5,
            "finish_reason": "stop",
        }
        for i, number in enumerate(numbers)
    ]


def changed(models: Iterable[str], before: int = 1200, after: int = 300, **options: Any) -> list[dict[str, object]]:
    """Calls of several targets in order of time; the last `after` of each are answered half as long."""
    found = [
        span
        for model in models
        for span in (
            *spans(model, range(before), **options),
            *spans(model, range(before, before + after), factor=0.5, **options),
        )
    ]
    return sorted(found, key=lambda span: str(span["span_id"]).rpartition("-")[2].zfill(9))


def lines(some: Iterable[dict[str, object]]) -> bytes:
    """Spans as JSONL, the body of POST /v1/spans."""
    return b"".join(json.dumps(span).encode() + b"\n" for span in some)
