"""The real LiteLLM proxy, in an environment of its own, in front of the fake provider."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from bench.environments import ROOT, python
from tests.programs import free_ports

LOCK = Path(__file__).with_name("requirements.lock")
START_S = 120.0
STOP_S = 30.0
KEY = "sk-of-the-test"
EXAMPLE = ROOT / "docs" / "examples" / "litellm.yaml"

OFFLINE = {
    "PYTHONFAULTHANDLER": "1",
    "HF_HUB_OFFLINE": "1",  # else it asks Hugging Face for tokenizers, again and again, and everything waits
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_MODE": "PRODUCTION",  # or it would read a .env
    "NO_PROXY": "127.0.0.1",
    "LITELLM_TELEMETRY": "False",
}

GROUPS = {
    "gpt-4o": ("openai/gpt-4o", "openai/gpt-4o"),
    "gpt-4o-mini": ("openai/gpt-4o-mini",),
    "gpt-4o-azure": ("azure/gpt-4o",),
    "mistral-large": ("mistral/mistral-large-latest",),
    "llama": ("groq/llama-3.3-70b",),
    "emb": ("openai/text-embedding-3-small",),
    "emb-fragile": ("openai/fail-401",),
    "always-429": ("openai/fail-429",),
    "always-500": ("openai/fail-500",),
    "bad-request": ("openai/fail-400",),
    "bad-key": ("openai/fail-401",),
    "filtered": ("azure/filtered",),
    "slow": ("openai/slow",),
    "cut": ("openai/cut",),
    "flaky": ("openai/flaky",),
    "fragile": ("openai/fail-429",),
    "broken": ("openai/fail-500",),
}
"""Model group -> what its deployments send upstream. Those of FALLBACKS have fallbacks, the others have none."""

FALLBACKS = [{"fragile": ["gpt-4o-mini"]}, {"broken": ["fragile", "mistral-large"]}, {"emb-fragile": ["emb"]}]


def deployment(group: str, number: int, model: str, upstream: str) -> dict[str, Any]:
    """One entry of LiteLLM's model_list."""
    params = {"model": model, "api_key": "of-the-provider", "api_base": f"{upstream}/v1", "timeout": 20}
    params["max_retries"] = 0  # or OpenAI's client repeats failed requests by itself, which nobody logs
    if model.startswith("azure/"):
        params |= {"api_base": upstream, "api_version": "2024-10-21"}
    if group == "slow":
        params["timeout"] = 0.3
    return {"model_name": group, "litellm_params": params, "model_info": {"id": f"{group}-{number}"}}


def settings(upstream: str) -> dict[str, Any]:
    """The proxy's configuration, but for who is told of its calls."""
    models = [deployment(g, n, model, upstream) for g, all_of in GROUPS.items() for n, model in enumerate(all_of)]
    router = {"num_retries": 0, "fallbacks": FALLBACKS, "disable_cooldowns": True}
    return {"model_list": models, "router_settings": router, "general_settings": {"master_key": KEY}}


class CrashedError(Exception):
    """The interpreter under LiteLLM died by a signal; a new process has other addresses, and may not."""


@contextmanager
def proxy(
    directory: Path,
    upstream: str | Mapping[str, Any],
    logging: str,
    environ: Mapping[str, str],
    interpreter: Path | None = None,
) -> Iterator[str]:
    """A running proxy's base URL; `logging` is the YAML of its litellm_settings. Its output is in `directory`.

    `upstream` is where GROUPS are served, or the configuration in full but for `logging`.

    When the block ends it is asked to stop, so that it sends what it still holds. Raises TimeoutError or
    ChildProcessError where it does not start, CalledProcessError where its environment cannot be made, and
    CrashedError: CPython (seen with 3.11.7) crashes now and then where LiteLLM resets a context variable.
    """
    interpreter = interpreter or python("litellm", LOCK)
    (port,) = free_ports(1)
    config = directory / "config.yaml"
    configured = settings(upstream) if isinstance(upstream, str) else upstream
    parts = [f"{name}: {json.dumps(value)}\n" for name, value in configured.items()]
    config.write_text("".join(parts) + logging)
    paths = os.pathsep.join(str(ROOT / part) for part in ("src", "collectors"))
    command = [interpreter.with_name("litellm"), "--config", config, "--host", "127.0.0.1", "--port", str(port)]
    with (directory / "proxy.txt").open("wb") as out:
        process = subprocess.Popen(
            command,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=directory,
            env=_inherited() | OFFLINE | {"PYTHONPATH": paths} | dict(environ),
        )
        try:
            url = f"http://127.0.0.1:{port}"
            _await(url, process, directory / "proxy.txt")
            yield url
        finally:
            if (process.poll() or 0) < 0:
                raise CrashedError(f"LiteLLM died of signal {-process.returncode}: {directory / 'proxy.txt'}")
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _inherited() -> dict[str, str]:
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}


def _await(url: str, process: subprocess.Popen[bytes], output: Path) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        if process.poll() is not None:
            raise ChildProcessError(f"LiteLLM ended: {output.read_text()[-1500:]}")
        try:
            if httpx.get(f"{url}/health/liveliness", timeout=1).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise TimeoutError(f"LiteLLM did not answer in {START_S:.0f} s: {output.read_text()[-1500:]}")
