"""LangSmith's exporter: what `gen_ai.completion` and `langsmith.metadata.*` say beyond the table of names.

Written after langsmith 0.15.1, `_internal/otel/_otel_exporter.py`: the answer is the body of the wrapped client, or
LangChain's LLMResult, as JSON; limits and usage stand in the run's metadata, which are attributes of their own.
"""

from collections.abc import Iterator
from typing import Any

from undertow_collectors.decode import answer
from undertow_collectors.decode.coerce import leading
from undertow_collectors.decode.records import Record


def found(fields: dict[str, Any], values: dict[str, Any], record: Record) -> Iterator[tuple[str, Any, str]]:
    """What stands in the JSON attributes of a run: field, value, and the clue that it came from."""
    if ".run_usage" in values:
        for name, value in answer.usage({"usage": leading(values[".run_usage"])}).items():
            yield name, value, ".run_usage"
    if record.failed:
        return
    body = answer.body(values.get(".completion")) or leading(values.get(".completion"))
    for name, said in answer.identity(body).items():
        if name != "response_model" or said != fields.get("model"):
            yield name, said, ".completion"
    for name, tokens in answer.usage(body).items():
        yield name, tokens, ".completion"
