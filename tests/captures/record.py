"""Records one capture: `python tests/captures/record.py NAME [FOLDER]`, NAME as in `NAME.in` beside this file.

Makes a virtual environment with what NAME.in pins (kept under `~/.cache/undertow-captures`, or $UNDERTOW_CAPTURES),
runs NAME's driver in it against the fake upstream, and puts what it exported into `tests/fixtures/formats/own-NAME`.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import zstandard

sys.path.insert(0, str(Path(__file__).parent))

import jvm
import receiver
import upstream
from scrub import scrub, scrub_json

HERE = Path(__file__).parent
FIXTURES = HERE.parent / "fixtures" / "formats"
CACHE = Path(os.environ.get("UNDERTOW_CAPTURES") or Path.home() / ".cache" / "undertow-captures")
SPANS_PER_BODY = "16"


class Recording(NamedTuple):
    """An instrumentation, the clients that it is driven through (none for Node.js and the JVM), and their environment.

    `without` are the numbers of calls that the instrumentation itself breaks. `pins` is another capture's NAME.in.
    `root` puts each call into a span of the application, as a web server has one for each request.
    """

    driver: str
    clients: str
    env: Mapping[str, str] = MappingProxyType({})
    without: str = ""
    pins: str = ""
    root: bool = False


SILENT = {"ANTHROPIC_OPEN_TELEMETRY": "false"}  # from version 1 on, Anthropic's client emits spans of its own
HIDDEN = {"OPENINFERENCE_HIDE_INPUTS": "true", "OPENINFERENCE_HIDE_OUTPUTS": "true"}
LANGFUSE = {"LANGFUSE_PUBLIC_KEY": "made-up", "LANGFUSE_SECRET_KEY": "made-up", "LANGFUSE_FLUSH_AT": "16"}
QUIET = {
    "HAYSTACK_TELEMETRY_ENABLED": "false",
    "AGNO_TELEMETRY": "false",
    "CREWAI_DISABLE_TELEMETRY": "true",
    "CREWAI_TRACING_ENABLED": "false",
    "LITELLM_LOCAL_MODEL_COST_MAP": "true",
}  # these frameworks would tell their makers of every run
VLLM = {"OTEL_SERVICE_NAME": "qwen3-8b", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf"}
OFFLINE = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "HF_HUB_OFFLINE": "1"}
LATEST = {"OTEL_SEMCONV_STABILITY_OPT_IN": "gen_ai_latest_experimental"}
ENVOY = {"DISABLE_PPROF": "true", "OTEL_BSP_SCHEDULE_DELAY": "500"}  # it does not flush when it ends
CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
RECORDINGS: dict[str, Recording] = {
    "openinference-openai-0.1.66": Recording("openinference", "openai"),
    "openinference-openai-0.1.30": Recording("openinference", "openai"),
    "openinference-openai-0.1.66-hidden": Recording(
        "openinference", "openai", HIDDEN, pins="openinference-openai-0.1.66"
    ),
    "openinference-anthropic-3.1.0": Recording("openinference", "anthropic", SILENT),
    "openinference-anthropic-0.1.18": Recording("openinference", "anthropic"),
    "traceloop-openai-0.62.4": Recording("traceloop", "openai"),
    "traceloop-openai-0.62.4-nocontent": Recording(
        "traceloop", "openai", {"TRACELOOP_TRACE_CONTENT": "false"}, pins="traceloop-openai-0.62.4"
    ),
    "traceloop-openai-0.40.14": Recording("traceloop", "openai"),
    "traceloop-openai-0.40.14-nocontent": Recording(
        "traceloop", "openai", {"TRACELOOP_TRACE_CONTENT": "false"}, pins="traceloop-openai-0.40.14"
    ),
    "traceloop-anthropic-0.62.4": Recording("traceloop", "anthropic", SILENT),
    "traceloop-anthropic-0.40.14": Recording("traceloop", "anthropic", without="17"),
    "openlit-1.45.0": Recording("openlit", "openai anthropic"),
    "openlit-1.34.10": Recording("openlit", "openai anthropic"),
    "official-openai-v2-2.4b0": Recording("official-openai-v2", "openai"),
    "official-openai-v2-2.4b0-latest": Recording(
        "official-openai-v2", "openai", LATEST | {CONTENT: "SPAN_AND_EVENT"}, pins="official-openai-v2-2.4b0"
    ),
    "official-openai-v2-2.1b0": Recording("official-openai-v2", "openai", {CONTENT: "true"}, without="23"),
    "official-genai-openai-1.3b0": Recording("official-genai-openai", "openai"),
    "official-genai-openai-1.3b0-events": Recording(
        "official-genai-openai", "openai", LATEST | {CONTENT: "EVENT_ONLY"}, pins="official-genai-openai-1.3b0"
    ),
    "official-genai-anthropic-1.3b0": Recording("official-genai-anthropic", "anthropic", SILENT),
    "official-genai-anthropic-1.3b0-events": Recording(
        "official-genai-anthropic",
        "anthropic",
        SILENT | LATEST | {CONTENT: "SPAN_AND_EVENT"},
        pins="official-genai-anthropic-1.3b0",
    ),
    "elastic-openai-1.2.0": Recording("elastic", "openai"),
    "node-openinference-openai-4.2.7": Recording("openinference", ""),
    "node-traceloop-openai-0.27.0": Recording("traceloop", ""),
    "node-vercel-ai-6.0.326": Recording("vercel", ""),
    "jvm-agent-openai-2.33.1": Recording("OpenAi", "", {CONTENT: "true"}),
    "jvm-adk-1.8.0": Recording("Adk", ""),
    "jvm-langchain4j-1.11.0": Recording("LangChain4j", ""),
    "rust-rig-0.44.0": Recording("rig", ""),
    "go-anthropic-sdk-1.84.0": Recording("anthropic-sdk", ""),
    "go-envoy-ai-gateway-1.1.0": Recording("envoy-ai-gateway", "", ENVOY),
    "go-envoy-ai-gateway-1.1.0-genai": Recording(
        "envoy-ai-gateway", "", ENVOY | {"AI_GATEWAY_TRACING_SEMCONV": "gen_ai"}, pins="go-envoy-ai-gateway-1.1.0"
    ),
    "anthropic-sdk-2.10.0": Recording("none", "anthropic"),
    "logfire-5.4.0": Recording("logfire", "openai anthropic", SILENT),
    "langfuse-5.0.4": Recording("langfuse", "langfuse", LANGFUSE),
    "langfuse-3.8.1": Recording("langfuse", "langfuse", LANGFUSE, without="19"),
    "mlflow-3.17.2": Recording("mlflow", "openai anthropic", SILENT),
    "mlflow-3.17.2-semconv": Recording(
        "mlflow", "openai anthropic", SILENT | {"MLFLOW_ENABLE_OTEL_GENAI_SEMCONV": "true"}, pins="mlflow-3.17.2"
    ),
    "adk-2.13.0": Recording("adk", "adk", OFFLINE | {CONTENT: "SPAN_AND_EVENT"}),
    "vllm-0.33.0": Recording("vllm", "vllm", VLLM),
    "pydantic-ai-2.68.0": Recording("pydantic-ai", "agents", SILENT),
    "openinference-langchain-0.1.80": Recording("openinference-langchain", "langchain"),
    "haystack-2.0.0": Recording("haystack", "haystack", QUIET | {"HAYSTACK_CONTENT_TRACING_ENABLED": "true"}),
    "haystack-ai-2.31.0": Recording("haystack-2", "haystack", QUIET | {"HAYSTACK_CONTENT_TRACING_ENABLED": "true"}),
    "openinference-haystack-0.1.46": Recording("openinference-haystack", "haystack", QUIET, pins="haystack-2.0.0"),
    "openinference-llama-index-4.6.1": Recording("openinference-llama-index", "llama_index"),
    "traceloop-llama-index-0.62.4": Recording("traceloop-llama-index", "llama_index"),
    "openinference-dspy-0.1.48": Recording("openinference-dspy", "dspy", QUIET),
    "crewai-1.15.30": Recording("crewai", "crewai", QUIET, pins="openinference-crewai-1.1.21"),
    "openinference-crewai-1.1.21": Recording("openinference-crewai", "crewai", QUIET),
    "openinference-crewai-1.1.21-openai": Recording(
        "openinference-crewai-openai", "crewai", QUIET, pins="openinference-crewai-1.1.21"
    ),
    "openinference-agno-1.0.15": Recording("openinference-agno", "agno", QUIET),
    "traps-openinference-langchain-openai": Recording(
        "openinference-langchain-openai", "langchain", pins="openinference-langchain-0.1.80", root=True
    ),
    "traps-traceloop-httpx": Recording("traceloop-httpx", "openai", pins="traps-httpx", root=True),
    "traps-traceloop-openinference": Recording("traceloop-openinference", "openai", pins="traps-httpx", root=True),
    "traps-openinference-anthropic-sdk": Recording("openinference", "anthropic", pins="openinference-anthropic-3.1.0"),
    "traps-traceloop-anthropic-sdk": Recording("traceloop", "anthropic", pins="traceloop-anthropic-0.62.4", root=True),
}
"""Every capture by its name."""


def environment(name: str) -> Path:
    """The Python of a virtual environment that holds what `name`.in pins; for others, the folder with its packages.

    For Rust and Go, the program that the driver's own manifest makes.
    """
    if name.startswith("jvm-"):
        return jvm.environment(HERE / f"{name}.in", CACHE / name)
    if name.startswith("node-"):
        return _packages(name)
    if language := BUILDS.get(name.partition("-")[0]):
        return _program(name, language)
    folder = CACHE / name / "venv"
    done = folder / "ok"
    if not done.exists():
        venv.create(folder, with_pip=True, clear=True)
        install = [folder / "bin" / "pip", "install", "--quiet"]
        subprocess.run([*install, "-r", HERE / f"{name}.in"], check=True)
        if (HERE / f"{name}.alone").exists():  # without what it needs
            subprocess.run([*install, "--no-deps", "-r", HERE / f"{name}.alone"], check=True)
        done.touch()
    return folder / "bin" / "python"


def _packages(name: str) -> Path:
    folder = CACHE / name
    if not (folder / "node_modules").exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text('{"private": true}')
        specs = (HERE / f"{name}.in").read_text().split()
        subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", *specs], check=True, cwd=folder)
    return folder


BUILDS = {
    "rust": ("cargo", "build", "--target-dir", "target"),
    "go": ("go", "build", "-mod=mod", "-o", "target/debug/drive", "."),
}
"""How a driver in a compiled language is built, in a copy of its folder."""


def _program(name: str, build: tuple[str, ...]) -> Path:
    folder = CACHE / name
    shutil.copytree(HERE / "drive" / name.partition("-")[0] / RECORDINGS[name].driver, folder, dirs_exist_ok=True)
    subprocess.run(build, check=True, cwd=folder)
    return folder / "target" / "debug" / "drive"


def _command(asked: Recording, installed: Path) -> tuple[list[str | Path], str | Path]:
    """What runs the driver, and where: not where Logfire would find a git commit to write down."""
    if installed.name.startswith("jvm-"):
        return jvm.command(asked.driver, installed), installed
    if installed.name == "drive":
        return [installed], "/"
    if not asked.clients:
        return ["node", HERE / "drive" / "node" / "main.cjs", asked.driver], installed
    return [installed, HERE / "drive" / "main.py", asked.driver, *asked.clients.split()], "/"


def record(name: str, folder: Path) -> None:
    """Run the driver and write `folder`."""
    asked = RECORDINGS[name]
    installed = environment(asked.pins or name)
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    served = upstream.serve(folder / "payloads.jsonl")
    received, bodies = receiver.serve()
    collector = f"http://127.0.0.1:{received.server_port}"
    env = {
        "PATH": os.environ["PATH"],
        "EXTPROC": os.environ.get("EXTPROC", ""),
        "UPSTREAM": f"http://127.0.0.1:{served.server_port}",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector,
        "LANGFUSE_BASE_URL": collector,
        "LANGFUSE_HOST": collector,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": SPANS_PER_BODY,
        "OTEL_BSP_SCHEDULE_DELAY": "60000",
        "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE": SPANS_PER_BODY,
        "OTEL_BLRP_SCHEDULE_DELAY": "60000",
        "OTEL_SERVICE_NAME": "capture",
        "OTEL_METRICS_EXPORTER": "none",
        "WITHOUT": asked.without,
        "ROOT": "yes" if asked.root else "",
    } | dict(asked.env)
    command, where = _command(asked, installed)
    with tempfile.TemporaryDirectory() as home:
        subprocess.run(command, check=True, env=env | {"HOME": home}, timeout=300, cwd=where)
    served.shutdown()
    received.shutdown()
    _write(folder, bodies, [CACHE / (asked.pins or name), HERE])


def _write(folder: Path, bodies: list[tuple[str, bytes]], secret: list[Path]) -> None:
    pack = zstandard.ZstdCompressor(level=19).compress
    for kind in ("traces", "logs"):
        for n, body in enumerate((body for found, body in bodies if found == kind), 1):
            encoding, clean = ("json", scrub_json) if body.startswith(b"{") else ("pb", scrub)
            (folder / f"{kind}-{n:04}.otlp.{encoding}.zst").write_bytes(pack(clean(kind, body, secret)))


def main() -> None:
    """Record what the command line names."""
    name = sys.argv[1]
    record(name, Path(sys.argv[2]) if len(sys.argv) > 2 else FIXTURES / f"own-{name}")


if __name__ == "__main__":
    main()
