"""Drives one instrumentation: `main.py INSTRUMENTATION CLIENT...`; the clients are openai and anthropic."""

import re
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from calls import Call, run
from sdk import Sdk

GUIDE = Path(__file__).parents[3] / "docs" / "shipping.md"


def _instrument(module: str, name: str, **options: object) -> None:
    getattr(import_module(module), name)().instrument(**options)


def _named(package: str) -> Callable[[list[str]], Callable[[], None]]:
    """What instruments each client with `package`.<client>, by the SDK of an application."""

    def begin(clients: list[str]) -> Callable[[], None]:
        sdk = Sdk()
        for client in clients:
            _instrument(f"{package}.{client}", {"openai": "OpenAIInstrumentor"}.get(client, "AnthropicInstrumentor"))
        return sdk.end

    return begin


def _official(package: str) -> Callable[[list[str]], Callable[[], None]]:
    """An instrumentation of OpenTelemetry's own, by the module that has it."""

    def begin(clients: list[str]) -> Callable[[], None]:
        sdk = Sdk()
        _instrument(package, {"openai": "OpenAIInstrumentor", "anthropic": "AnthropicInstrumentor"}[clients[0]])
        return sdk.end

    return begin


def _openlit(_: list[str]) -> Callable[[], None]:
    import openlit
    from opentelemetry import trace

    openlit.init(application_name="capture", environment="test", disable_metrics=True)
    return lambda: trace.get_tracer_provider().shutdown()


def _logfire(clients: list[str]) -> Callable[[], None]:
    import logfire

    logfire.configure(send_to_logfire=False, console=False)
    for client in clients:
        getattr(logfire, f"instrument_{client}")()
    return lambda: logfire.shutdown() and None


def _langfuse(_: list[str]) -> Callable[[], None]:
    from langfuse import get_client

    return lambda: get_client().shutdown()


def _mlflow(clients: list[str]) -> Callable[[], None]:
    import mlflow

    for client in clients:
        getattr(mlflow, client).autolog()
    return lambda: mlflow.flush_trace_async_logging() and None


def _agents(_: list[str]) -> Callable[[], None]:
    sdk = Sdk()
    import_module("pydantic_ai").Agent.instrument_all()
    return sdk.end


def _adk(_: list[str]) -> Callable[[], None]:
    """What docs/shipping.md tells users of ADK to do."""
    from opentelemetry import _logs, trace

    guide = (Path(__file__).parents[3] / "docs" / "shipping.md").read_text().partition("\n## Google's ADK\n")[2]
    exec(guide.partition("```python\n")[2].partition("```")[0], {})  # noqa: S102  our own document

    def end() -> None:
        trace.get_tracer_provider().shutdown()
        _logs.get_logger_provider().shutdown()

    return end


def _httpx(_: list[str]) -> Callable[[], None]:
    """Traceloop's spans, each with the HTTP client's own below it."""
    sdk = Sdk()
    _instrument("opentelemetry.instrumentation.httpx", "HTTPXClientInstrumentor")
    _instrument("opentelemetry.instrumentation.openai", "OpenAIInstrumentor")
    return sdk.end


def _both(_: list[str]) -> Callable[[], None]:
    """Two instrumentations that each report every call."""
    sdk = Sdk()
    _instrument("opentelemetry.instrumentation.openai", "OpenAIInstrumentor")
    _instrument("openinference.instrumentation.openai", "OpenAIInstrumentor")
    return sdk.end


def _langchain(*more: str) -> Callable[[list[str]], Callable[[], None]]:
    """LangChain's own callbacks as spans, and `more` instrumentations of what it calls."""

    def begin(_: list[str]) -> Callable[[], None]:
        sdk = Sdk()
        _instrument("openinference.instrumentation.langchain", "LangChainInstrumentor")
        for package in more:
            _instrument(package, "OpenAIInstrumentor")
        return sdk.end

    return begin


def _framework(module: str, name: str, **options: object) -> Callable[[list[str]], Callable[[], None]]:
    """An instrumentation of a framework."""

    def begin(_: list[str]) -> Callable[[], None]:
        sdk = Sdk()
        _instrument(module, name, **options)
        return sdk.end

    return begin


def _traceloop_llama_index(_: list[str]) -> Callable[[], None]:
    """Traceloop's spans of LlamaIndex, which leave out OpenAI's models, and of OpenAI's client: its SDK has both."""
    sdk = Sdk()
    _instrument("opentelemetry.instrumentation.llamaindex", "LlamaIndexInstrumentor")
    _instrument("opentelemetry.instrumentation.openai", "OpenAIInstrumentor")
    return sdk.end


def _guided(library: str) -> Callable[[list[str]], Callable[[], None]]:
    """What the guide tells users of a library to do."""

    def begin(_: list[str]) -> Callable[[], None]:
        sdk = Sdk()
        row = next(line for line in GUIDE.read_text().splitlines() if line.startswith(f"| {library} |"))
        for line in re.findall("`([^`]+)`", row.split("|")[3]):
            module = line.partition("(")[0].rpartition(".")[0]
            exec(f"import {module}; {line}", {})  # noqa: S102  our own document
        return sdk.end

    return begin


def _haystack_2(_: list[str]) -> Callable[[], None]:
    """Haystack 2 has the tracer in itself."""
    sdk = Sdk()
    tracing = import_module("haystack.tracing")
    tracing.enable_tracing(tracing.OpenTelemetryTracer(sdk.tracers.get_tracer("my_application")))
    return sdk.end


def _crewai(_: list[str]) -> Callable[[], None]:
    """What CrewAI traces by itself, in a session of its own."""
    from crewai.telemetry.tracing import telemetry_session
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    session = telemetry_session("capture", "capture", [OTLPSpanExporter()])
    session.__enter__()
    return lambda: session.__exit__(None, None, None) and None


def _nothing(_: list[str]) -> Callable[[], None]:
    """Only the SDK: what a client says by itself."""
    return Sdk().end


INSTRUMENTATIONS = {
    "none": _nothing,
    "official-openai-v2": _official("opentelemetry.instrumentation.openai_v2"),
    "official-genai-openai": _official("opentelemetry.instrumentation.genai.openai"),
    "official-genai-anthropic": _official("opentelemetry.instrumentation.genai.anthropic"),
    "elastic": _official("opentelemetry.instrumentation.openai"),
    "openlit": _openlit,
    "logfire": _logfire,
    "langfuse": _langfuse,
    "mlflow": _mlflow,
    "adk": _adk,
    "vllm": lambda _: import_module("vllm_calls").begin(),
    "pydantic-ai": _agents,
    "openinference-langchain": _langchain(),
    "openinference-langchain-openai": _langchain("openinference.instrumentation.openai"),
    "traceloop-httpx": _httpx,
    "traceloop-openinference": _both,
    "crewai": _crewai,
    "haystack-2": _haystack_2,
    "haystack": _guided("Haystack"),
    "openinference-haystack": _framework("openinference.instrumentation.haystack", "HaystackInstrumentor"),
    "openinference-llama-index": _guided("LlamaIndex"),
    "openinference-dspy": _guided("DSPy"),
    "openinference-agno": _guided("agno"),
    "openinference-crewai": _framework(
        "openinference.instrumentation.crewai", "CrewAIInstrumentor", use_event_listener=True
    ),
    "traceloop-llama-index": _traceloop_llama_index,
    "openinference-crewai-openai": _guided("CrewAI"),
    "openinference": _named("openinference.instrumentation"),
    "traceloop": _named("opentelemetry.instrumentation"),
}
"""What begins to instrument, by name; it returns what ends it."""


def _calls(client: str) -> list[Call]:
    if client == "agents":
        return import_module("agents").agent_calls()
    if client in ("adk", "vllm", "langchain", "haystack", "llama_index", "dspy", "agno", "crewai"):
        return getattr(import_module(f"{client}_calls"), f"{client}_calls")()
    if client == "langfuse":
        return import_module("openai_calls").openai_calls(import_module("langfuse.openai").openai)
    return getattr(import_module(f"{client}_calls"), f"{client}_calls")(import_module(client))


def main() -> None:
    """Instrument, make all calls, and send what was recorded."""
    name, *clients = sys.argv[1:]
    end = INSTRUMENTATIONS[name](clients)
    number = 1
    for client in clients:
        number = run(_calls(client), number)
    end()


if __name__ == "__main__":
    main()
