"""Records the request log of one-api or new-api: `python tests/captures/gateways.py BINARY FOLDER`.

BINARY is what `go build` makes of their repository. It runs on an SQLite file with one user, one token and one channel
for each provider; the calls go to the fake provider. FOLDER gets the rows of the table `logs`, one JSON object each.
"""

import json
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import upstream

KEY = "a" * 48
MODELS = {1: ("gpt-4o", "gpt-4o-mini", "text-embedding-3-small"), 14: ("claude-3-5-haiku-latest",)}
"""Types of channels, OpenAI and Anthropic, and what each serves."""

PLACE = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
USAGE = {"stream": True, "stream_options": {"include_usage": True}}
CHAT = "/v1/chat/completions"
CALLS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("plain", CHAT, {"model": "gpt-4o"}),
    ("plain", CHAT, {"model": "gpt-4o", **USAGE}),
    ("tool", CHAT, {"model": "gpt-4o", "tools": [PLACE]}),
    ("cached", CHAT, {"model": "gpt-4o-mini"}),
    ("plain 429", CHAT, {"model": "gpt-4o"}),
    ("plain 500", CHAT, {"model": "gpt-4o-mini"}),
    ("plain cut", CHAT, {"model": "gpt-4o", **USAGE}),
    ("plain left", CHAT, {"model": "gpt-4o", **USAGE}),
    ("plain", "/v1/embeddings", {"model": "text-embedding-3-small"}),
    ("cached", CHAT, {"model": "claude-3-5-haiku-latest", "max_tokens": 512}),
    ("plain", CHAT, {"model": "claude-3-5-haiku-latest", "max_tokens": 512, **USAGE}),
)
"""What should come of each call, its path and its body."""


def free_port() -> int:
    """A port of loopback that nothing listens on."""
    with closing(socket.create_server(("127.0.0.1", 0))) as found:
        return int(found.getsockname()[1])


@contextmanager
def running(binary: str, folder: Path) -> Iterator[str]:
    """The gateway, with its database in `folder`; its address once it answers."""
    port = free_port()
    env = os.environ | {"PORT": str(port), "ERROR_LOG_ENABLED": "true", "SQLITE_PATH": str(folder / "one-api.db")}
    with (folder / "out").open("a") as out:
        gateway = subprocess.Popen([binary], cwd=folder, env=env, stdout=out, stderr=out)
    try:
        _await(f"http://127.0.0.1:{port}/api/status", gateway, folder)
        yield f"http://127.0.0.1:{port}"
    finally:
        gateway.terminate()
        gateway.wait(30)


def _await(url: str, gateway: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and gateway.poll() is None:
        with suppress(urllib.error.URLError), urllib.request.urlopen(url):  # noqa: S310  loopback
            return
        time.sleep(0.1)
    sys.exit(f"the gateway did not answer; its last words are {(folder / 'out').read_text()[-500:]!r}")


def furnish(database: Path, provider: str) -> None:
    """Give the root user quota and a token, and each provider a channel."""
    with closing(sqlite3.connect(database)) as db, db:
        _insert(db, "users", id=1, username="root", password="made-up", role=100, status=1)
        _insert(db, "options", key="SelfUseModeEnabled", value="true")  # models need no price
        db.execute("UPDATE users SET quota = 1000000000 WHERE id = 1")
        _insert(db, "tokens", user_id=1, key=KEY, status=1, name="app", unlimited_quota=1, expired_time=-1)
        for number, models in MODELS.items():
            row = {"name": f"channel {number}", "base_url": provider, "models": ",".join(models), "group": "default"}
            _insert(db, "channels", id=number, type=number, key="made-up", status=1, **row)
            for model in models:
                _insert(db, "abilities", group="default", model=model, channel_id=number, enabled=1, priority=0)


def _insert(db: sqlite3.Connection, table: str, **row: Any) -> None:
    names, marks = ", ".join(f'"{name}"' for name in row), ", ".join("?" * len(row))
    db.execute(f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({marks})", tuple(row.values()))  # noqa: S608


def call(address: str, number: int, outcome: str, path: str, body: dict[str, Any]) -> None:
    """Make one call; a stream that is to be left is left after its first line."""
    said = f"x-call: {number} {outcome}"
    asked = {"input": said} if path == "/v1/embeddings" else {"messages": [{"role": "user", "content": said}]}
    headers = {"authorization": f"Bearer sk-{KEY}", "content-type": "application/json"}
    request = urllib.request.Request(address + path, json.dumps(body | asked).encode(), headers)  # noqa: S310
    with suppress(urllib.error.HTTPError), urllib.request.urlopen(request) as answer:  # noqa: S310
        answer.readline() if outcome.endswith("left") else answer.read()


def rows(database: Path) -> list[dict[str, Any]]:
    """The log, of which only calls are kept: the rest is about users and their quota."""
    with closing(sqlite3.connect(database)) as db:
        db.row_factory = sqlite3.Row
        return [dict(row) for row in db.execute("SELECT * FROM logs WHERE type IN (2, 5) ORDER BY id")]


def settled(database: Path) -> list[dict[str, Any]]:
    """The log once it stops growing: rows are written after the answer."""
    found: list[dict[str, Any]] = []
    quiet_since = time.monotonic()
    while time.monotonic() < quiet_since + 3:
        if len(now := rows(database)) != len(found):
            found, quiet_since = now, time.monotonic()
        time.sleep(0.1)
    return found


def main() -> None:
    """Record what the command line names."""
    binary, target = sys.argv[1], Path(sys.argv[2])
    target.mkdir(parents=True, exist_ok=True)
    (target / "payloads.jsonl").unlink(missing_ok=True)
    provider = upstream.serve(target / "payloads.jsonl")
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "one-api.db"
        with running(binary, Path(folder)):
            pass  # which makes the tables
        furnish(database, f"http://127.0.0.1:{provider.server_port}")
        with running(binary, Path(folder)) as address:
            for number, made in enumerate(CALLS, 1):
                call(address, number, *made)
            found = settled(database)
    provider.shutdown()
    lines = [json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in found]
    (target / "logs.jsonl").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
