"""Spans of Google's Agent Development Kit for Go, whose output counts the reasoning of OpenAI's models twice."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.collectors.decode.otlp_bodies import request, span_json

from undertow.batch import Decoded

Read = Callable[..., Decoded]


def output(read: Read, model: str, scope: str = "gcp.vertex.agent", **more: Any) -> int | None:
    """The output tokens of a call that the span counts as nine, two of them for reasoning."""
    attributes = {
        "gen_ai.operation.name": "generate_content",
        "gen_ai.request.model": model,
        "gen_ai.usage.input_tokens": 11,
        "gen_ai.usage.output_tokens": 9,
        "gen_ai.usage.reasoning.output_tokens": 2,
    }
    return read(request(span_json(attributes | more), scope=scope)).spans[0].output_tokens


@pytest.mark.parametrize(
    ("model", "expected"), [("gpt-4o-mini", 7), ("o4-mini", 7), ("gemini-2.5-pro", 9), ("llama", 9)]
)
def test_reasoning_is_counted_once(read: Read, model: str, expected: int) -> None:
    """OpenAI's output includes the reasoning already; Gemini's candidates do not, and others are left as they are."""
    assert output(read, model) == expected


def test_others_are_believed(read: Read) -> None:
    """A span that names its provider, and that of another library, are read as they are."""
    assert output(read, "gpt-4o-mini", **{"gen_ai.provider.name": "openai"}) == 9
    assert output(read, "gpt-4o-mini", scope="another") == 9


def test_gemini_is_googles(read: Read) -> None:
    """The spans name no provider; a model that only Google serves names it."""
    attributes = {"gen_ai.operation.name": "generate_content", "gen_ai.request.model": "gemini-2.5-flash"}
    assert read(request(span_json(attributes), scope="gcp.vertex.agent")).spans[0].provider == "gcp.gen_ai"
