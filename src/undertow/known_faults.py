"""Instrumentations whose spans are known to be wrong at the source, where no decoder can make them right.

Only what was measured stands here, by running the library against a provider whose answers were known. A fault is
believed of the version that it was measured at and of later ones, until a version without it was measured.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from undertow.instrumentation import Instrumentation

Affects = Literal["error_rate", "tokens", "latency", "text"]

_NUMBER = re.compile(r"\d{1,9}")


@dataclass(frozen=True, slots=True)
class KnownFault:
    """One fault: which figure is wrong, in a sentence how, and what to do.

    `scope` is a name of an instrumentation, or with `*` at its end what such names begin with. The versions are those
    from `since` on that come before `before`. `measured` says which library, in which version, and where it is told.
    """

    scope: str
    affects: Affects
    text: str
    measured: str
    since: str | None = None
    before: str | None = None

    def concerns(self, name: str) -> bool:
        """Return whether any version of the instrumentation `name` is meant."""
        return name.startswith(self.scope[:-1]) if self.scope.endswith("*") else name == self.scope

    def applies(self, found: Instrumentation) -> bool:
        """Return whether an instrumentation has the fault; one that tells no version may have it."""
        if not self.concerns(found.name):
            return False
        if found.version is None:
            return True
        version = _ordered(found.version)
        return (self.since is None or version >= _ordered(self.since)) and (
            self.before is None or version < _ordered(self.before)
        )


_LOOKS_WHOLE = "A stream that breaks off looks like an answer, so failures of streams are not counted"
_NO_SPAN = "A stream that breaks off leaves no span, so failures of streams are not counted"
_REFUSED = "A call that the provider refuses leaves no span, so outages do not show as errors"
_BY_GATEWAY = "take error rates from a gateway's own log, and heed a fall in the number of calls."
_UNCACHED = "Input tokens of streams leave out those from the cache"
_COMPARE = "compare tokens and costs only within this instrumentation."

KNOWN_FAULTS: tuple[KnownFault, ...] = (
    KnownFault(
        "io.opentelemetry.openai-java-*",
        "error_rate",
        f"{_NO_SPAN}: {_BY_GATEWAY}",
        "OpenTelemetry's Java agent 2.31.0 with openai-java 4.49.0, a stream that was cut in the middle",
        since="2.31.0",
    ),
    KnownFault(
        "gcp.vertex.agent",
        "tokens",
        "Reasoning of models that are not Gemini is counted twice in the output tokens; it is taken out of spans of "
        f"Google's ADK for Go and for Java with models of OpenAI only: {_COMPARE}",
        "Google's ADK for Go 2.2.0 and for Python 2.13.0 with litellm 1.110.2",
        since="2.0.0",
    ),
    KnownFault(
        "haystack",
        "text",
        "Spans hold the prompt in haystack.pipeline.input_data even where content tracing is off: delete that "
        "attribute in the Collector if prompts must not leave the application.",
        "haystack-ai 3.4.1 with opentelemetry-haystack 2.0.0, which tells no version",
    ),
    KnownFault(
        "mlflow.tracing.provider",
        "error_rate",
        "The span of a stream of Anthropic's client ends when the stream begins, so that one that breaks off looks "
        f"like an answer, and its messages.stream() leaves no span: {_BY_GATEWAY}",
        "MLflow 3.17.2, which tells no version; docs/formats.md, MLflow",
    ),
    KnownFault(
        "opentelemetry.instrumentation.google_genai",
        "tokens",
        "With automatic function calling one span stands for several requests and has the tokens of the last: add a "
        "span for each request, or read tokens from a gateway's own log.",
        "opentelemetry-instrumentation-google-genai 1.3b0 with google-genai 2.34.0",
        since="1.3b0",
    ),
    KnownFault(
        "openinference.instrumentation.dspy",
        "latency",
        "An answer out of DSPy's own cache is a span like any other, of less than a millisecond: turn that cache off, "
        "or leave latency of this application out of alerts.",
        "openinference-instrumentation-dspy 0.1.48 with DSPy 3.4.1",
        since="0.1.48",
    ),
    KnownFault(
        "openinference.instrumentation.dspy",
        "error_rate",
        f"Retries of a call are one span, so failures that a retry made good are not counted: {_BY_GATEWAY}",
        "openinference-instrumentation-dspy 0.1.48 with DSPy 3.4.1, four requests of one call",
        since="0.1.48",
    ),
    KnownFault(
        "openinference.instrumentation.dspy",
        "tokens",
        "Spans have no tokens and no reason of the end, so costs and lengths of answers are unknown: instrument the "
        "client below DSPy instead, or read a gateway's own log.",
        "openinference-instrumentation-dspy 0.1.48 with DSPy 3.4.1, eleven calls",
        since="0.1.48",
    ),
    KnownFault(
        "openinference.instrumentation.llama_index",
        "latency",
        "The span of a stream ends when the stream begins, so how long streams take is unknown: instrument the client "
        "below LlamaIndex instead.",
        "openinference-instrumentation-llama-index 4.6.1",
        since="4.6.1",
    ),
    KnownFault(
        "openinference.instrumentation.crewai._event_listener",
        "error_rate",
        f"{_NO_SPAN}: instrument the client below CrewAI instead.",
        "openinference-instrumentation-crewai 1.1.21 with crewai 1.15.30",
        since="1.1.21",
    ),
    KnownFault(
        "envoyproxy/ai-gateway",
        "error_rate",
        "A stream that breaks off leaves no span, and one that ends in an error event looks like an answer: take error "
        "rates from Envoy's access log, and heed a fall in the number of calls.",
        "the external processor of Envoy AI Gateway 1.1.0, which tells no version, in both of its conventions",
    ),
    KnownFault(
        "opentelemetry.instrumentation.openai.v1",
        "error_rate",
        f"{_NO_SPAN}: {_BY_GATEWAY}",
        "Traceloop's opentelemetry-instrumentation-openai 0.40.14",
        since="0.40.14",
        before="0.62.4",
    ),
    KnownFault(
        "opentelemetry.instrumentation.openai.v1",
        "error_rate",
        f"{_LOOKS_WHOLE}: {_BY_GATEWAY}",
        "Traceloop's opentelemetry-instrumentation-openai 0.62.4",
        since="0.62.4",
    ),
    KnownFault(
        "opentelemetry.instrumentation.anthropic",
        "error_rate",
        f"{_REFUSED}, nor does a stream that breaks off: {_BY_GATEWAY}",
        "Traceloop's opentelemetry-instrumentation-anthropic 0.40.14",
        since="0.40.14",
        before="0.62.4",
    ),
    KnownFault(
        "opentelemetry.instrumentation.anthropic",
        "error_rate",
        "A stream that breaks off and a failure of messages.stream() leave no span, so these failures are not counted: "
        f"{_BY_GATEWAY}",
        "Traceloop's opentelemetry-instrumentation-anthropic 0.62.4",
        since="0.62.4",
    ),
    KnownFault(
        "opentelemetry.instrumentation.anthropic",
        "tokens",
        f"Output tokens of streams are too many by what the first event counts: {_COMPARE}",
        "Traceloop's opentelemetry-instrumentation-anthropic 0.62.4",
        since="0.62.4",
    ),
    KnownFault(
        "@traceloop/instrumentation-openai",
        "error_rate",
        f"{_REFUSED}, and a stream that breaks off looks like an answer: {_BY_GATEWAY}",
        "@traceloop/instrumentation-openai 0.27.0",
        since="0.27.0",
    ),
    KnownFault(
        "@arizeai/openinference-instrumentation-openai",
        "error_rate",
        f"{_REFUSED}: {_BY_GATEWAY}",
        "@arizeai/openinference-instrumentation-openai 4.2.7",
        since="4.2.7",
    ),
    KnownFault(
        "openinference.instrumentation.anthropic",
        "error_rate",
        f"{_REFUSED}: {_BY_GATEWAY}",
        "openinference-instrumentation-anthropic 0.1.18; 3.1.0 has a span of each",
        since="0.1.18",
        before="3.1.0",
    ),
    KnownFault(
        "openinference.instrumentation.anthropic",
        "tokens",
        f"{_UNCACHED}: {_COMPARE}",
        "openinference-instrumentation-anthropic 0.1.18; 3.1.0 counts them",
        since="0.1.18",
        before="3.1.0",
    ),
    KnownFault(
        "openlit.*",
        "error_rate",
        f"{_NO_SPAN}: {_BY_GATEWAY}",
        "OpenLIT 1.34.10 and 1.45.0, which tell no version",
    ),
    KnownFault(
        "openlit.*",
        "tokens",
        f"{_UNCACHED}, and where the provider sends no usage OpenLIT counts words: {_COMPARE}",
        "OpenLIT 1.34.10 and 1.45.0, which tell no version",
    ),
    KnownFault(
        "langfuse-sdk",
        "error_rate",
        f"{_LOOKS_WHOLE}: {_BY_GATEWAY}",
        "Langfuse's client for OpenAI, 3.8.1 and 5.0.4",
        since="3.8.1",
    ),
    KnownFault(
        "pydantic-ai",
        "error_rate",
        f"{_LOOKS_WHOLE}: {_BY_GATEWAY}",
        "Pydantic AI 2.68.0",
        since="2.68.0",
    ),
)
"""How to add one: collectors/README.md, Known faults."""


@lru_cache(1024)
def known_faults(found: Instrumentation) -> tuple[KnownFault, ...]:
    """Return what is known to be wrong with the spans of an instrumentation."""
    return tuple(fault for fault in KNOWN_FAULTS if fault.applies(found))


def is_faulty(found: Instrumentation) -> bool:
    """Return whether anything is known to be wrong with the spans of an instrumentation."""
    return bool(known_faults(found))


def _ordered(version: str) -> tuple[int, ...]:
    """Return the numbers in a version without zeros at the end, by which versions can be compared."""
    numbers = [int(number) for number in _NUMBER.findall(version)]
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)
