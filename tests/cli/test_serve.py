import asyncio
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from undertow.commands.serve import listen
from undertow.store import Store

Stream = Callable[..., list[dict[str, object]]]
DEADLINE_S = 30.0
SECRET = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY="
TOKEN = "canary-token-of-the-test"
SHIPPING = Path(__file__).parents[2] / "docs" / "shipping.md"


def _body(spans: list[dict[str, object]]) -> bytes:
    return b"".join(json.dumps(span).encode() + b"\n" for span in spans)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_spans_go_in_over_http_and_a_signal_ends_it_well(
    serve: Callable[..., Any], stream: Stream, tmp_path: Path, number: int
) -> None:
    """Without Kafka: POSTed spans show in /v1/targets; SIGTERM or SIGINT ends with 0 in ten seconds and all is kept."""
    served = serve()
    url = served.ready()
    answer = httpx.post(f"{url}/v1/spans", content=_body(stream(300)))
    assert (answer.status_code, answer.json()) == (200, {"stored": 300, "duplicates": 0, "rejected": 0})
    targets = httpx.get(f"{url}/v1/targets").json()["targets"]
    assert [(one["target"]["model"], one["spans"]) for one in targets] == [("gpt-4", 300)]
    served.process.send_signal(number)
    assert served.ended() == 0, served.log.read_text()
    with Store.open(tmp_path / "undertow.duckdb") as store:
        assert store.targets()[0]["spans"] == 300


def test_the_guides_curl_stores_a_span(serve: Callable[..., Any]) -> None:
    """The command of "curl, without Kafka" in docs/shipping.md answers as it says there."""
    if shutil.which("curl") is None:
        pytest.skip("there is no curl")
    guide = SHIPPING.read_text().partition("## curl, without Kafka")[2]
    command = guide.partition("```bash\n")[2].partition("```")[0].replace("http://127.0.0.1:8321", serve().ready())
    answered = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True).stdout
    assert f"answers `{answered}`" in guide


def test_readiness_names_every_part(serve: Callable[..., Any]) -> None:
    """A monitor that has just started is ready, with a line for each part."""
    url = serve().ready()
    body = httpx.get(f"{url}/readyz").json()
    assert body["ready"] is True
    assert {"store", "detection", "outbox"} <= {part["part"] for part in body["parts"]}


def test_logs_are_one_json_object_a_line_without_secrets(serve: Callable[..., Any], stream: Stream) -> None:
    """With --log-format json each line is an object; neither token nor signing secret is in any output."""
    served = serve(
        "--log-format",
        "json",
        UNDERTOW_API__TOKEN=TOKEN,
        UNDERTOW_ALERTS__WEBHOOK__0__URL="http://127.0.0.1:9/hook",
        UNDERTOW_ALERTS__WEBHOOK__0__SECRET=SECRET,
    )
    url = served.ready()
    assert httpx.get(f"{url}/v1/targets").status_code == 401
    answer = httpx.post(f"{url}/v1/spans", content=_body(stream(3)), headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.json()["stored"] == 3
    served.process.send_signal(signal.SIGTERM)
    out, _ = served.process.communicate(timeout=10.0)
    text = out.decode() + served.log.read_text()
    assert [json.loads(line)["level"] for line in served.log.read_text().splitlines()]
    assert [secret for secret in (TOKEN, SECRET, SECRET.removeprefix("whsec_")) if secret in text] == []


def test_a_second_monitor_on_the_same_file_is_refused(serve: Callable[..., Any]) -> None:
    """DuckDB has one owner: the second process ends with 74 and names the file and the first process."""
    first = serve()
    first.ready()
    done = subprocess.run(
        [sys.executable, "-m", "undertow.cli", "serve"],
        cwd=first.log.parent,
        env=os.environ | {"UNDERTOW_API__PORT": "0"},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 74
    assert f"undertow.duckdb is in use by process {first.process.pid}" in done.stderr


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    """Where the address is taken the monitor ends at once with 75 and names the keys."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "undertow.cli", "serve"],
            cwd=tmp_path,
            env=os.environ | {"UNDERTOW_API__PORT": str(port)},
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
    assert done.returncode == 75
    assert f"api.host, api.port: cannot listen on 127.0.0.1:{port}" in done.stderr


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="limits of another process are a thing of Linux")
def test_a_full_disk_ends_with_75_and_loses_nothing(serve: Callable[..., Any], stream: Stream, tmp_path: Path) -> None:
    """When the file can grow no more the monitor says so once and ends; what it had answered for is in the file."""
    served = serve()
    url, stored = served.ready(), 0
    resource.prlimit(served.process.pid, resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
    for seed in range(100):
        try:
            answer = httpx.post(f"{url}/v1/spans", content=_body(stream(2000, seed=seed)))
        except httpx.TransportError:
            break
        stored += answer.json().get("stored", 0)
    assert served.ended() == 75
    assert served.log.read_text().count("see that the disk has space") == 1
    with Store.open(tmp_path / "undertow.duckdb") as store:
        assert store.ingestion()["totals"]["stored"] == stored > 0


def test_an_answer_does_not_wait_for_the_asker() -> None:
    """Connections are without Nagle's algorithm, which keeps the second part of an answer back for 40 ms."""
    told: asyncio.Queue[int] = asyncio.Queue()

    async def connect() -> int:
        async def met(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            end = writer.get_extra_info("socket")
            await told.put(end.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        listener = listen("127.0.0.1", 0)
        async with await asyncio.start_server(met, sock=listener):
            _, asker = await asyncio.open_connection(*listener.getsockname())
            found = await told.get()
            asker.close()
            return found

    assert asyncio.run(connect())
