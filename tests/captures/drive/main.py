"""Drives one instrumentation: `main.py INSTRUMENTATION CLIENT...`; the clients are openai and anthropic."""

import sys
from collections.abc import Callable
from importlib import import_module

from calls import run
from sdk import Sdk


def _instrument(module: str, name: str) -> None:
    getattr(import_module(module), name)().instrument()


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
    "openinference": _named("openinference.instrumentation"),
    "traceloop": _named("opentelemetry.instrumentation"),
}
"""What begins to instrument, by name; it returns what ends it."""


def main() -> None:
    """Instrument, make all calls, and send what was recorded."""
    name, *clients = sys.argv[1:]
    end = INSTRUMENTATIONS[name](clients)
    number = 1
    for client in clients:
        if client == "openai":
            import openai
            from openai_calls import openai_calls

            number = run(openai_calls(openai), number)
        else:
            import anthropic
            from anthropic_calls import anthropic_calls

            number = run(anthropic_calls(anthropic), number)
    end()


if __name__ == "__main__":
    main()
