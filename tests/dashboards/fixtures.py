"""A monitor's API as canned JSON on a real loopback port.

`python -m tests.dashboards.fixtures PORT [TARGETS]` serves it, to look at the dashboard without a monitor.
"""

import json
import math
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from . import answers as newer

HOUR = 3600.0
HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "[click](https://evil.example)",
    "`]( :red[x] $x^2$ **bold** :smile:",
    "a\n\n# heading\n\n![x](https://evil.example/x.png)",
    "'); drop table span;--",
    "www.evil.example",
    "=cmd()|' /C calc'!A0",
    "\u202egnp.exe\u0000",
)


def target(
    model: str, provider: str = "openai", gateway: str | None = "litellm-prod", deployment: str | None = None
) -> dict[str, Any]:
    """A target's JSON."""
    return {"gateway": gateway, "provider": provider, "model": model, "deployment": deployment}


def target_state(where: dict[str, Any], state: str = "ok", *, now: float, **changes: Any) -> dict[str, Any]:
    """A row of /v1/targets."""
    known = {"ok": "ok", "alert": "ok", "stale": "ok", "collecting": "collecting"}.get(state, "insufficient")
    names = ("output_tokens", "parse_fail", "refusal", "finish_length")
    signals = [
        {
            "signal": name,
            "lane": "content",
            "state": "alert" if state == "alert" and name == "output_tokens" else known,
            "baseline_values": 10012 if known == "ok" else 220,
            "log10_evidence": 7.3 if state == "alert" and name == "output_tokens" else 0.4,
            "log10_threshold": 5.2,
        }
        for name in names
    ]
    text = {
        "ok": "as in its baseline of 10,012 answers",
        "alert": "1 open: provider update",
        "stale": "Nothing new has come for 3 hours.",
        "collecting": "collecting a baseline: 1,204 of 2,000 answers, 22.4 of 48 hours",
        "insufficient_data": "no signal has the 500 values in the baseline that judging needs",
    }[state]
    row = {
        "target": where,
        "spans": 23000,
        "late": 3,
        "first": now - 72 * HOUR,
        "last": now - 4,
        "baseline": "collecting" if known == "collecting" else "frozen",
        "baseline_spans": 10012,
        "state": state,
        "text": text,
        "open_incidents": [],
        "multiplier": 1.0,
        "ready_at": now + 26 * HOUR if state == "collecting" else None,
        "last_change": now - 2.5 * HOUR if state == "alert" else None,
        "stale_since": now - 3 * HOUR if state == "stale" else None,
        "signals": signals,
    }
    return row | changes


def incident(where: dict[str, Any], *, now: float, **changes: Any) -> dict[str, Any]:
    """An open provider update."""
    return {
        "id": "inc_01",
        "target": where,
        "cause": "provider_update",
        "lane": "content",
        "severity": "critical",
        "status": "open",
        "opened_at": now - 2.2 * HOUR,
        "opened_after_spans": 13246,
        "resolved_at": None,
        "change_point": now - 2.5 * HOUR,
        "change_point_interval": [now - 2.7 * HOUR, now - 2.4 * HOUR],
        "signals": [
            {
                "signal": "output_tokens",
                "direction": "down",
                "effect": {"name": "ratio", "value": 0.78, "ci95": [0.75, 0.81]},
                "log10_evidence": 7.3,
                "strata": [
                    {
                        "route": "triage",
                        "input_size": "under 90 input tokens",
                        "name": "ratio",
                        "value": 0.71,
                        "ci95": [0.66, 0.77],
                        "n_before": 812,
                        "n_after": 240,
                    },
                ],
            }
        ],
        "cost": {"tokens_per_day": -9100.0, "tokens_ci95": [-10400.0, -7800.0], "note": "it looks larger than it is"},
        "why": ["traffic_quiet", "no_other_targets"],
        "recommendation": {"action": "down_weight", "multiplier": 0.5},
    } | changes


def ingestion(*, now: float, **changes: Any) -> dict[str, Any]:
    """Body of /v1/ingest."""
    return {
        "partitions": [
            {"topic": "otlp_spans", "partition": p, "next_offset": 51200 + p, "lag": 7 * p} for p in range(4)
        ],
        "totals": {"read": 60000, "stored": 58210, "duplicates": 40, "rejected": 250, "skipped": 1500, "late": 12},
        "rejects": [
            {"reason": "invalid_json", "count": 201},
            {"reason": "missing_model", "count": 40},
            {"reason": "unsupported_format", "count": 9},
        ],
        "skipped": [{"reason": "not_llm_call", "count": 1500}],
        "unknown_keys": [{"name": "x_team", "count": 12}],
        "coerced": [],
        "derived": [],
        "newest": now - 4,
        "source": {"state": "running", "detail": ""},
        "formats": [{"name": "otlp", "count": 51000}, {"name": "litellm", "count": 7210}],
        "instrumentations": [
            {
                "topic": "otlp_spans",
                "name": name,
                "version": version,
                "spans": spans,
                "first_seen": now - 40 * HOUR,
                "last_seen": now - 4,
                "warnings": [],
            }
            for name, version, spans in (
                ("opentelemetry.util.genai.handler", "1.0b0", 47400),
                ("gcp.vertex.agent", "2.13.0", 3600),
                ("litellm", None, 7210),
            )
        ],
        "throughput": {
            "per_s": 12.5,
            "points": [{"at": now - now % 600 - 600 * i, "n": 380 + 20 * (i % 9)} for i in reversed(range(1, 100))],
        },
    } | changes


def world(now: float | None = None) -> dict[str, Any]:
    """What a monitor with five targets and one incident answers, by path."""
    now = time.time() if now is None else now
    moved = target("gpt-4o")
    known = [
        moved,
        target("gpt-4o-mini"),
        target("claude-sonnet-4-5", "anthropic", "otel-gateway"),
        target("gpt-4o", "azure.ai.openai", deployment="eu-1"),
        target("mistral-large", "mistral_ai"),
    ]
    state = target_state(moved, "alert", now=now, open_incidents=["inc_01"], multiplier=0.5)
    state["signals"] += [
        state["signals"][1] | {"signal": name, "lane": lane}
        for name, lane in (("finish_reason", "content"), ("ttft_s", "performance"), ("error_class", "errors"))
    ]
    return newer.routes(known, now, now - 2.5 * HOUR) | {
        "/v1/targets": {
            "targets": [
                state,
                target_state(target("gpt-4o-mini"), now=now, spans=61244),
                target_state(target("claude-sonnet-4-5", "anthropic", "otel-gateway"), now=now, spans=18022),
                target_state(target("gpt-4o", "azure.ai.openai", deployment="eu-1"), "collecting", now=now, spans=1204),
                target_state(target("mistral-large", "mistral_ai"), "insufficient_data", now=now, spans=140),
            ]
        },
        "/v1/incidents": {"incidents": [incident(moved, now=now)]},
        "/v1/incidents/inc_01": incident(moved, now=now) | newer.incident_details(now),
        "/v1/notices": {
            "notices": [
                {
                    "kind": "traffic_mix",
                    "target": target("gpt-4o-mini"),
                    "at": now - 5 * HOUR,
                    "text": "The share of long prompts rose from 12 % to 31 %.",
                }
            ]
        },
        "/v1/ingest": ingestion(now=now),
        "/v1/rejects": {
            "rejects": [
                {
                    "reason": "invalid_json",
                    "topic": "llm_requests",
                    "partition": 0,
                    "offset": 991,
                    "detail": "NaN",
                    "length": 80,
                }
            ]
        },
        "/readyz": {
            "ready": True,
            "parts": [
                {"part": "source", "ok": True, "state": "running", "detail": "4 partitions"},
                {"part": "store", "ok": True, "state": "ok", "detail": ""},
                {"part": "detection", "ok": True, "state": "ok", "detail": "0.2 s behind"},
                {"part": "outbox", "ok": True, "state": "ok", "detail": ""},
            ],
        },
        "change": now - 2.5 * HOUR,
        "now": now,
    }


def many(count: int, now: float | None = None) -> dict[str, Any]:
    """What a monitor with that many targets answers, in every state, every tenth of them with an incident."""
    now = time.time() if now is None else now
    states = ("ok", "ok", "ok", "collecting", "insufficient_data", "stale", "ok", "ok", "ok", "alert")
    places = (("openai", "litellm-prod"), ("anthropic", "otel-gateway"), ("mistral_ai", "litellm-eu"), ("vllm", None))
    known = [target(f"model-{i:03}", *places[i % 4], deployment=f"eu-{i % 3}") for i in range(count)]
    rows = [target_state(where, states[i % 10], now=now) for i, where in enumerate(known)]
    changed = [where for i, where in enumerate(known) if states[i % 10] == "alert"]
    found = [incident(where, now=now, id=f"inc_{i:02}") for i, where in enumerate(changed)]
    every = {"/v1/targets": {"targets": rows}, "/v1/incidents": {"incidents": found}}
    return world(now) | newer.routes(known, now, now - 2.5 * HOUR) | every


def series(answers: dict[str, Any], query: dict[str, str]) -> dict[str, Any]:
    """A signal with a daily wave that drops at the change."""
    start, end, step = (float(query[k]) for k in ("start", "end", "step_s"))
    moved = query["model"] == "gpt-4o" and query["provider"] == "openai"
    points = []
    for i in range(int((end - start) // step) + 1):
        at = start + i * step
        wave = 1 + 0.06 * math.sin(at / 86400 * 6.283) + 0.04 * math.sin(i * 12.9898) * math.cos(i * 4.1)
        level = wave * (0.78 if moved and at >= answers["change"] else 1.0)
        if query["signal"] == "output_tokens":
            points.append({"at": at, "n": 80} | {p: 240 * level * f for p, f in QUANTILES.items()})
        else:
            points.append({"at": at, "n": 80, "rate": 0.02 * wave * (1 + math.sin(i * 7.7) / 2)})
        if query["signal"].endswith("_s"):
            points[-1] = {"at": at, "n": 80} | {p: 0.4 * f / wave for p, f in QUANTILES.items()}
    kinds = {"output_tokens": ("quantiles", "tokens"), "ttft_s": ("quantiles", "s")}
    kind, unit = kinds.get(query["signal"], ("rate", "share"))
    return {"signal": query["signal"], "kind": kind, "unit": unit, "points": points}


QUANTILES = {"p05": 0.35, "p25": 0.7, "p50": 1.0, "p75": 1.4, "p95": 2.3}


def distribution(answers: dict[str, Any], query: dict[str, str]) -> dict[str, Any]:
    """Baseline against now: a curve, a rate, or shares of names; two routes."""
    now, change = answers["now"], answers["change"]
    moved = query["model"] == "gpt-4o" and query["provider"] == "openai"
    before: dict[str, Any] = {"from": now - 72 * HOUR, "to": now - 24 * HOUR, "n": 10012}
    after: dict[str, Any] = {"from": change, "to": now, "n": 1022}
    if query["signal"] == "output_tokens":
        kind, unit = "quantiles", "tokens"
        before |= _lengths(1.0)
        after |= _lengths(0.78 if moved else 1.01)
    elif query["signal"] in ("finish_reason", "error_class"):
        kind, unit = "shares", "requests"
        before |= {"shares": {"stop": 9212, "length": 500, "tool_calls": 290}, "other": 10}
        after |= {"shares": {"stop": 990, "length": 12, "tool_calls": 20}, "other": 0}
    else:
        kind, unit = "rate", "share"
        before |= {"rate": 0.02}
        after |= {"rate": 0.022}
    routes = [{"route": r, "n_before": n, "n_after": n // 10} for r, n in (("triage", 6600), ("extract", 3412))]
    sides = {"before": before, "after": after, "routes": routes}
    return {"signal": query["signal"], "kind": kind, "unit": unit} | sides


def _lengths(size: float) -> dict[str, Any]:
    """Quantiles of a log-logistic law and its curve."""
    curve = [[240 * size * (i / (100 - i)) ** 0.3, i / 100] for i in range(1, 100)]
    return {"quantiles": {p: 240 * size * f for p, f in QUANTILES.items()}, "ecdf": curve}


class FakeApi:
    """The answers by path, which tests change at will, and what was asked and posted."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.answers = world()
        self.status: dict[str, int] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.posted: list[tuple[str, Any]] = []
        self.token = ""
        self.scopes: str | None = None
        """What the token may, told with every answer."""

    def answer(self, path: str, query: dict[str, str], token: str) -> tuple[int, Any]:
        """Status and body."""
        self.asked.append((path, query))
        if self.token and token != f"Bearer {self.token}":
            return 401, {"title": "Unauthorized", "detail": "a bearer token is needed", "status": 401}
        if path in ("/v1/series", "/v1/distribution"):
            make = series if path == "/v1/series" else distribution
            return self.status.get(path, 200), make(self.answers, query)
        if path not in self.answers:
            return 404, {"title": "Not Found", "detail": f"no {path}", "status": 404}
        body = self.answers[path]
        return self.status.get(path, 200), body(query) if callable(body) else body


@contextmanager
def serving(port: int = 0) -> Iterator[FakeApi]:
    """The fake API on a loopback port of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {k: v[0] for k, v in parse_qs(parts.query).items()}
            self._reply(*api.answer(parts.path, query, self.headers.get("Authorization", "")))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            api.posted.append((self.path, json.loads(body)))
            self._reply(api.status.get(self.path, 200), {})

        def do_DELETE(self) -> None:
            api.posted.append((self.path, None))
            self._reply(200, {})

        def _reply(self, status: int, body: Any) -> None:
            raw = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json" if status < 400 else "application/problem+json")
            self.send_header("Content-Length", str(len(raw)))
            if api.scopes is not None:
                self.send_header("Undertow-Scopes", api.scopes)
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: Any) -> None:
            """Silence."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    api = FakeApi(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


if __name__ == "__main__":
    with serving(int(sys.argv[1])) as shown:
        if len(sys.argv) > 2:
            shown.answers = many(int(sys.argv[2]))
        sys.stdout.write(f"{shown.url}\n")
        threading.Event().wait()
