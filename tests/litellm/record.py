"""Records what a LiteLLM proxy exports: `python -m tests.litellm.record [NAME ...]`, by default all of RECORDINGS.

Each becomes `tests/fixtures/formats/litellm-VERSION-NAME`: bodies of OTLP exporters (`traces-`), of log posts
(`posts-`) or payloads that a callback was given (`records.jsonl`), and `served.jsonl`, which the fake provider wrote.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import zstandard
from bench.environments import ROOT, python
from tests.captures.scrub import scrub
from tests.litellm.inbox import Inbox
from tests.litellm.proxy import LOCK, proxy
from tests.litellm.traffic import AGAIN, KINDS, ask_all, plan
from tests.litellm.upstream import Upstream, serving

FIXTURES = ROOT / "tests" / "fixtures" / "formats"
PLACE = Path(os.environ.get("UNDERTOW_CAPTURES") or Path.home() / ".cache" / "undertow-captures")
PINS = {
    "older": ("litellm[proxy]==1.80.17", "opentelemetry-exporter-otlp==1.45.2"),
    "newer": ("-r", str(Path(__file__).with_name("newer.in"))),
}
"""What is installed where the name of a recording begins so, instead of the lock file."""

CACHE = "  cache: true\n  cache_params: {type: local}\n"
SPANS_PER_BODY = "64"
QUIET_S = 8.0
"""LiteLLM's exporters post every five seconds, and not when it stops."""


class Recording(NamedTuple):
    """Who is told of the calls, further YAML, and the environment; `{inbox}` is where it is to post to."""

    callback: str
    more: str = ""
    env: Mapping[str, str] = MappingProxyType({})
    cached: bool = False


def _generic(form: str) -> Recording:
    endpoint = f'{{callback_type: generic_api, endpoint: "{{inbox}}/log", headers: {{A: b}}, log_format: {form}}}'
    return Recording("posts", f"callback_settings:\n  posts: {endpoint}\n")


OTEL = {"OTEL_EXPORTER": "otlp_http", "OTEL_ENDPOINT": "{inbox}", "OTEL_EXPORTER_OTLP_ENDPOINT": "{inbox}"}
SEMCONV = {"OTEL_SEMCONV_STABILITY_OPT_IN": "gen_ai_latest_experimental"}
V2 = {"LITELLM_OTEL_V2": "true"}
PHOENIX = {"PHOENIX_COLLECTOR_HTTP_ENDPOINT": "{inbox}/v1/traces", "PHOENIX_API_KEY": "made-up"}
LANGFUSE = {"LANGFUSE_PUBLIC_KEY": "made-up", "LANGFUSE_SECRET_KEY": "made-up", "LANGFUSE_OTEL_HOST": "{inbox}"}
KEEPER, SHIPPED = "keeper.logger", "shipped.logger"
RECORDINGS: dict[str, Recording] = {
    "otel-v1": Recording("otel", env=OTEL),
    "otel-v1-semconv": Recording("otel", env=OTEL | SEMCONV),
    "otel-v2": Recording("otel", env=OTEL | V2),
    "phoenix": Recording("arize_phoenix", env=PHOENIX),
    "phoenix-v2": Recording("arize_phoenix", env=PHOENIX | V2),
    "langfuse": Recording("langfuse_otel", env=LANGFUSE),
    "langfuse-v2": Recording("langfuse_otel", env=LANGFUSE | V2),
    "payloads": Recording(KEEPER),
    "generic-array": _generic("json_array"),
    "generic-ndjson": _generic("ndjson"),
    "generic-single": _generic("single"),
    "older-otel": Recording("otel", env=OTEL),
    "older-payloads": Recording(KEEPER),
    "newer-otel-v1": Recording("otel", env=OTEL, cached=True),
    "newer-otel-v2": Recording("otel", env=OTEL | V2, cached=True),
    "newer-langfuse": Recording("langfuse_otel", env=LANGFUSE, cached=True),
    "newer-callback": Recording(SHIPPED, cached=True),
}
"""Every recording by its name."""


def record(name: str) -> Path:
    """Run the proxy, ask, and write the folder, which is returned."""
    asked = RECORDINGS[name]
    age, _, way = name.partition("-")
    interpreter = _pinned(age) if age in PINS else python("litellm", LOCK)
    upstream, inbox = Upstream(), Inbox()
    with tempfile.TemporaryDirectory() as scratch, serving(upstream.app) as url, serving(inbox.app) as inbox_url:
        kept = Path(scratch) / "kept.jsonl"
        told = {key: value.replace("{inbox}", inbox_url) for key, value in asked.env.items()}
        environ = told | {"KEEPER": str(kept), "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": SPANS_PER_BODY}
        for callback in ("keeper.py", "shipped.py"):
            shutil.copy(Path(__file__).with_name(callback), scratch)  # LiteLLM looks beside its configuration
        logging = f"litellm_settings:\n  callbacks: [{asked.callback}]\n{CACHE if asked.cached else ''}"
        with proxy(
            Path(scratch), url, logging + asked.more.replace("{inbox}", inbox_url), environ, interpreter
        ) as gateway:
            asks = plan(len(KINDS))
            ask_all(gateway, asks)
            ask_all(gateway, [asks[number] for number in AGAIN] if asked.cached else [])
            time.sleep(QUIET_S)
        records = kept.read_bytes() if kept.exists() else b""
    folder = FIXTURES / f"litellm-{_version(interpreter)}-{way if age in PINS else name}"
    _write(folder, upstream, inbox, records)
    return folder


def _write(folder: Path, upstream: Any, inbox: Inbox, records: bytes) -> None:
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    pack = zstandard.ZstdCompressor(level=19).compress
    (folder / "served.jsonl").write_text("".join(json.dumps(row) + "\n" for row in upstream.log))
    singles = [posted.body for posted in inbox.posted if posted.path == "/log" and posted.body.startswith(b"{")]
    if len(singles) > 9:  # one payload a post, as good as one a line
        records = b"\n".join(singles)
        inbox.posted.clear()
    if records:
        (folder / "records.jsonl.zst").write_bytes(pack(_clean(records)))
    for number, posted in enumerate(inbox.posted, 1):
        if "protobuf" in posted.content_type:
            body, file = scrub("traces", posted.body, [ROOT, PLACE]), f"traces-{number:04}.otlp.pb.zst"
        else:
            body, file = _clean(posted.body), f"posts-{number:04}.json.zst"
        (folder / file).write_bytes(pack(body))


def _clean(text: bytes) -> bytes:
    """Without the paths of this machine that stack traces hold."""
    return re.sub(rb'File \\+"[^"]*/([^"/]+)\\+"', rb'File \\"\1\\"', text).replace(str(ROOT).encode(), b"")


def _pinned(age: str) -> Path:
    interpreter = PLACE / f"litellm-{age}" / "bin" / "python"
    if not interpreter.exists():
        uv = Path(sys.executable).with_name("uv")
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, interpreter.parents[1]], check=True)
        subprocess.run([uv, "pip", "install", "--quiet", "--python", interpreter, *PINS[age]], check=True)
    return interpreter


def _version(interpreter: Path) -> str:
    code = "import importlib.metadata as m; print(m.version('litellm'))"
    return subprocess.run([interpreter, "-c", code], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def main() -> None:
    """Record what the command line names."""
    for name in sys.argv[1:] or RECORDINGS:
        folder = record(name)
        size = sum(file.stat().st_size for file in folder.iterdir())
        print(f"{folder.name}: {len(list(folder.iterdir()))} files, {size} bytes", file=sys.stderr)


if __name__ == "__main__":
    main()
