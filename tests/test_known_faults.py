"""The table of instrumentations whose spans are wrong at the source."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from undertow.batch import instrumentations
from undertow.instrumentation import Instrumentation
from undertow.known_faults import KNOWN_FAULTS, KnownFault, known_faults
from undertow_collectors.decode.registry import decode
from undertow_collectors.files import messages

FORMATS = Path(__file__).parent / "fixtures" / "formats"
FIXTURES = {
    "io.opentelemetry.openai-java-*": ("own-jvm-agent-openai-2.33.1",),
    "gcp.vertex.agent": ("adk-go-2.2.0", "own-adk-2.13.0"),
    "haystack": ("own-haystack-2.0.0",),
    "openinference.instrumentation.dspy": ("own-openinference-dspy-0.1.48",),
    "openinference.instrumentation.llama_index": ("own-openinference-llama-index-4.6.1",),
    "openinference.instrumentation.crewai._event_listener": ("own-openinference-crewai-1.1.21",),
    "envoyproxy/ai-gateway": ("own-go-envoy-ai-gateway-1.1.0", "own-go-envoy-ai-gateway-1.1.0-genai"),
    "mlflow.tracing.provider": ("own-mlflow-3.17.2", "mlflow-gateway-3.17.2"),
    "opentelemetry.instrumentation.google_genai": ("own-google-genai-1.3b0-left",),
    "opentelemetry.instrumentation.openai.v1": ("own-traceloop-openai-0.40.14", "own-traceloop-openai-0.62.4"),
    "opentelemetry.instrumentation.anthropic": ("own-traceloop-anthropic-0.40.14", "own-traceloop-anthropic-0.62.4"),
    "@traceloop/instrumentation-openai": ("own-node-traceloop-openai-0.27.0",),
    "@arizeai/openinference-instrumentation-openai": ("own-node-openinference-openai-4.2.7",),
    "openinference.instrumentation.anthropic": ("own-openinference-anthropic-0.1.18",),
    "openlit.*": ("own-openlit-1.34.10", "own-openlit-1.45.0"),
    "langfuse-sdk": ("own-langfuse-3.8.1", "own-langfuse-5.0.4"),
    "pydantic-ai": ("own-pydantic-ai-2.68.0",),
}
"""What was captured of the instrumentations in the table, by the name that stands there."""


def captured(folder: str) -> Counter[Instrumentation]:
    """Who wrote the spans of a fixture."""
    found = Counter[Instrumentation]()
    for path in sorted((FORMATS / folder).iterdir()):
        if ".pb" in path.suffixes or ".otlp" in path.suffixes:
            for message in messages(str(path)):
                found.update(instrumentations(decode(message)))
    return found


def unmatched(fault: KnownFault) -> bool:
    """Whether no capture of the instrumentation has a span that the fault applies to."""
    return not any(fault.applies(one) for folder in FIXTURES[fault.scope] for one in captured(folder))


@pytest.mark.parametrize("fault", KNOWN_FAULTS, ids=lambda fault: f"{fault.scope} {fault.affects} {fault.since}")
def test_a_fault_is_found_in_the_capture_of_its_library(fault: KnownFault) -> None:
    """The name and the versions of each row are those that the library's spans have."""
    assert not unmatched(fault)


@pytest.mark.parametrize(
    "broken",
    [
        lambda fault: replace(fault, since="99"),
        lambda fault: replace(fault, before="0.0.1"),
        lambda fault: fault.applies(Instrumentation(fault.scope.upper(), "1")),
    ],
)
def test_a_row_that_fits_no_capture_is_caught(broken: Callable[[KnownFault], KnownFault | bool]) -> None:
    """Negative control: a version that was never seen, or another spelling, matches nothing."""
    fault = next(one for one in KNOWN_FAULTS if one.scope == "opentelemetry.instrumentation.openai.v1")
    made = broken(fault)
    assert unmatched(made) if isinstance(made, KnownFault) else not made


@pytest.mark.parametrize(
    ("name", "version", "affects"),
    [
        ("io.opentelemetry.openai-java-1.1", "2.31.0-alpha", ["error_rate"]),
        ("io.opentelemetry.openai-java-1.1", "2.30.9-alpha", []),
        ("io.opentelemetry.openai-java-1.1", "10.0", ["error_rate"]),
        ("io.opentelemetry.openai-java-1.1", None, ["error_rate"]),
        ("io.opentelemetry.java-http-client", "2.31.0-alpha", []),
        ("gcp.vertex.agent", "2.0.0", ["tokens"]),
        ("gcp.vertex.agent", "2", ["tokens"]),
        ("gcp.vertex.agent", "2.13.0", ["tokens"]),
        ("haystack", None, ["text"]),
        ("openinference.instrumentation.dspy", "0.1.48", ["error_rate", "latency", "tokens"]),
        ("envoyproxy/ai-gateway", None, ["error_rate"]),
        ("haystack2", None, []),
        ("openinference.instrumentation.anthropic", "0.1.18", ["error_rate", "tokens"]),
        ("openinference.instrumentation.anthropic", "3.0.99", ["error_rate", "tokens"]),
        ("openinference.instrumentation.anthropic", "3.1.0", []),
        ("openinference.instrumentation.openai", "0.1.66", []),
        ("openlit.instrumentation.openai", None, ["error_rate", "tokens"]),
        ("opentelemetry.instrumentation.openai", "1.2.0", []),
        ("litellm", "1.108.7", []),
        ("otlp", None, []),
    ],
)
def test_a_fault_is_known_by_name_and_version(name: str, version: str | None, affects: list[str]) -> None:
    """Numbers of versions are compared as numbers; an instrumentation that tells no version may have the fault."""
    assert sorted(fault.affects for fault in known_faults(Instrumentation(name, version))) == affects


def test_each_row_is_a_sentence_with_what_to_do_and_says_where_it_was_measured() -> None:
    """One sentence in two halves; the range of versions is not empty, and no row stands there twice."""
    for fault in KNOWN_FAULTS:
        assert fault.text.count(": ") == 1, fault.text
        assert fault.text[0].isupper()
        assert fault.text.endswith(".")
        assert len(fault.text) <= 300
        assert any(char.isdigit() for char in fault.measured)
        assert fault.before is None or replace(fault, before=None).applies(Instrumentation(fault.scope, fault.before))
    assert len({(fault.scope, fault.affects, fault.since) for fault in KNOWN_FAULTS}) == len(KNOWN_FAULTS)
