"""The tracing of vLLM's V1 engine without the engine, whose compiled parts take gigabytes.

`vllm.tracing` and the method OutputProcessor.do_tracing are those of the released wheel, which is installed without
what it needs; what the engine would have generated is asked of the fake provider.
"""

import __future__

import ast
import importlib
import importlib.util
import json
import logging
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from urllib.request import Request, urlopen

from calls import UPSTREAM, Call

MODEL = "qwen3-8b"
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
PREFILL_S, QUEUED_S = 0.05, 0.01


def _wheel() -> Path:
    """The folder of the package, whose own `__init__` is not run: it imports PyTorch."""
    spec = importlib.util.find_spec("vllm")
    (folder,) = spec.submodule_search_locations
    for name, there in (("vllm", folder), ("vllm.utils", f"{folder}/utils")):
        package = sys.modules[name] = ModuleType(name)
        package.__path__ = [there]
    logger = sys.modules["vllm.logger"] = ModuleType("vllm.logger")
    logger.init_logger = logging.getLogger
    return Path(folder)


def _do_tracing(folder: Path, tracing: ModuleType) -> Callable[..., None]:
    """The method of the engine, with the names that it uses."""
    tree = ast.parse((folder / "v1" / "engine" / "output_processor.py").read_text())
    found = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == "do_tracing"]
    names = vars(tracing) | {"length_from_prompt_token_ids_or_embeds": lambda ids, _: len(ids)}
    flags = __future__.annotations.compiler_flag
    exec(compile(ast.Module(found, []), "output_processor.py", "exec", flags), names)  # noqa: S102  the wheel's own
    return names["do_tracing"]


def begin() -> Callable[[], None]:
    """Set tracing up as the engine does where `--otlp-traces-endpoint` is given."""
    _wheel()
    tracing = importlib.import_module("vllm.tracing")
    tracing.init_tracer("vllm.llm_engine", f"{os.environ['OTEL_EXPORTER_OTLP_ENDPOINT']}/v1/traces")
    from opentelemetry import trace

    return lambda: trace.get_tracer_provider().shutdown()


def vllm_calls() -> list[Call]:
    """One request each."""
    tracing = sys.modules["vllm.tracing"]
    do_tracing = _do_tracing(Path(sys.modules["vllm"].__path__[0]), tracing)
    return [
        ("plain", _request(do_tracing, max_tokens=256, temperature=0.7)),
        ("length", _request(do_tracing, max_tokens=16, temperature=0.7)),
        ("plain", _request(do_tracing, temperature=0.0)),
        ("plain", _request(do_tracing, parent=PARENT, max_tokens=256)),
    ]


def _request(do_tracing: Callable[..., None], parent: str = "", **asked: Any) -> Callable[[dict[str, str]], None]:
    def call(headers: dict[str, str]) -> None:
        arrived, at = time.time(), time.monotonic()
        body = json.dumps({"model": MODEL, "messages": [], **asked}).encode()
        with urlopen(Request(f"{UPSTREAM}/v1/chat/completions", body, headers)) as response:  # noqa: S310  the stub
            answer = json.load(response)
        usage = answer["usage"]
        stats = SimpleNamespace(
            arrival_time=arrived,
            queued_ts=at,
            scheduled_ts=at + QUEUED_S,
            first_token_ts=at + PREFILL_S,
            last_token_ts=at + 2 * PREFILL_S,
            first_token_latency=PREFILL_S,
            num_generation_tokens=usage["completion_tokens"],
        )
        state = SimpleNamespace(
            stats=stats,
            prompt_token_ids=[0] * usage["prompt_tokens"],
            prompt_embeds=None,
            external_req_id=answer["id"],
            top_p=0.95,
            max_tokens_param=asked.get("max_tokens"),
            temperature=asked.get("temperature"),
            n=1,
        )
        output = SimpleNamespace(trace_headers={"traceparent": parent} if parent else None)
        time.sleep(2 * PREFILL_S)
        do_tracing(None, output, state, SimpleNamespace(iteration_timestamp=time.time()))

    return call
