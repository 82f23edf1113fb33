"""MLflow: spans of its tracing and of its AI Gateway, whose attributes hold JSON, a string with its quotes too.

Written after mlflow 3.17.2 (mlflow/tracing, mlflow/gateway and the autologging of each client). An autologged client
has the served model in `mlflow.llm.model` and the one that was asked for among its own parameters; frameworks and the
gateway have the one that was asked for. MLflow's counts of tokens include what came from a cache. The gateway's call of
a provider is a span without an answer, inside of one that has it.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from undertow.span import Span
from undertow_collectors.decode import answer, providers, settle, streams
from undertow_collectors.decode.coerce import count
from undertow_collectors.decode.context import max_tokens
from undertow_collectors.decode.records import Event, Record

SCOPE = "mlflow"
DIALECT = {
    "gen_ai.request.model": ".model_name",
    "model": ".asked",
    "stream": "stream",
    "streaming": "stream",
    "temperature": "temperature",
    "max_tokens": "max_tokens",
    "max_completion_tokens": "max_tokens",
    "max_output_tokens": "max_tokens",
    "endpoint_name": ".gateway",
    "method": ".method",
    "action": ".method",
    "proxy_path": ".method",
}
"""What attributes mean to MLflow alone, which with MLFLOW_ENABLE_OTEL_GENAI_SEMCONV puts the served model where others
have the one that was asked for.
"""

KINDS = {"CHAT_MODEL": None, "LLM": None, "EMBEDDING": None, "AGENT": "agent", "TOOL": "tool"}
"""Type of a span -> why it is no call, None if it is one; all others are not_llm_call."""

_CLIENTS = ("Embeddings", "AsyncEmbeddings")
"""Classes of OpenAI's client, the only one whose parameters become attributes, that leave no other sign of it."""

_STREAM = re.compile(r"<(?:(?:async_)?generator object|[\w.]*(?:Stream|Generator|EventStream)\b[\w.]* object)")
"""How Python writes the stream that a client returned."""

_DUMPED = {"reasoning", "thinking", "redacted_thinking"}
"""Types of a provider's blocks that are no part of an answer's text."""

_UNTOLD = (None, "tool_calls", "function_call")
"""Ends of a stream of which what MLflow put together says too little."""

_CHUNK = "mlflow.chunk.item."
FIRST_CHUNK = f"{_CHUNK}0"

_USAGE = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cached_input_tokens": "cache_read_input_tokens",
}
_PARTS = ("cached_input_tokens", "reasoning_tokens")
_BODIES = {"choices", "candidates", "output", "content", "message", "data"}


def skip_reason(record: Record, values: Mapping[str, Any]) -> str | None:
    """Return why a span is no call, None where it may be one.

    A caller that sends its trace along gets the gateway's calls again, below its own span: without a method.
    """
    kind = _plain(values.get(".mlflow"))
    if ".gateway" in values:  # one of a budget that is spent is a failure of the type that calls have
        of_a_call = kind == "LLM" or values.get("operation") == "generate_content"
        return "refused_by_gateway" if record.failed and of_a_call else "wrapper"
    if record.name.startswith("provider/") and ".method" not in values:
        return "wrapper"
    return KINDS.get(kind, "not_llm_call")


def names_a_model(values: dict[str, Any]) -> bool:
    """Whether a span says which model was called; a function that its author called an LLM does not."""
    return bool(_asked(values) or _plain(values.get(".model_name")))


def found(values: dict[str, Any], record: Record) -> Iterator[tuple[str, Any, str]]:
    """What a span says: field, value, and the clue that it came from."""
    asked, named = _asked(values), _plain(values.get(".model_name"))
    yield "model", asked or named, ".asked" if asked else ".model_name"
    yield "provider", _provider(record.name, values), ".mlflow_provider"
    method, inputs = _plain(values.get(".method")), answer.opened(values, ".request")
    yield "operation", _operation(method, inputs, values), ".method"
    yield "stream", False if method in ("chat", "completions") else None, ".method"
    yield "temperature", inputs.get("temperature"), ".request"
    yield "max_tokens", max_tokens(inputs), ".request"
    yield "stream", inputs.get("stream"), ".request"
    body = _body(values, record)
    for name, value in answer.identity(body).items():
        yield name, value, ".returned"
    if not record.failed:
        yield "response_model", named if asked and named != asked else None, ".model_name"
    for name, tokens in _usage(values, body).items():
        yield name, tokens, ".usage"
    yield "cost_usd", answer.opened(values, ".cost").get("total_cost"), ".cost"


def correct(values: dict[str, Any], record: Record) -> None:
    """Leave out of the values what is no answer, and mark a span that ended when its stream began as `.opened`."""
    if ".mlflow" in values:
        opened = _STREAM.match(_plain(values.get(".returned"))) is not None
    else:
        streamed = _body(values, record)
        if "choices" in streamed:
            values[".output_messages"] = streamed
            values.pop(".finish_reasons", None)
        elif ".output_messages" in values:
            values[".output_messages"] = _without_dumps(answer.body(values[".output_messages"]))
        unanswered = values.keys().isdisjoint(("response_id", "response_model", "input_tokens", ".output_messages"))
        opened = unanswered and not record.failed
    if opened:
        values[".opened"] = True


def answered(values: dict[str, Any], record: Record) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the provider's body in what a span returned, empty where it is something else, and the request."""
    return _body(values, record), answer.opened(values, ".request")


def complete(span: Span, values: dict[str, Any], gateway: Record, derived: Counter[str]) -> None:
    """Give the gateway's only successful call what the span around it says of the answer."""
    body, parameters = answered(values, gateway)
    said = body or _without_dumps(answer.body(values.get(".output_messages")))
    shown: dict[str, Any] = {**answer.identity(body), **answer.features(said, parameters)}
    for name in ("response_id", "response_model"):  # in OpenTelemetry's names they are the span's own
        if isinstance(values.get(name), str):
            shown[name] = values[name]
    shown |= {name: number for name, number in answer.usage(body).items() if name in _PARTS}
    first = next((event.time_ns for event in gateway.events() if event.name == FIRST_CHUNK), None)
    if span.stream and first is not None and first / 1e9 > span.started_at:
        shown["ttft_s"] = first / 1e9 - span.started_at
    for name, value in shown.items():
        if getattr(span, name) is None:
            setattr(span, name, value)
            derived[name] += 1


def _plain(value: Any) -> str:
    """A string without the quotes of JSON; empty where there is none."""
    if not isinstance(value, str):
        return ""
    try:
        found = json.loads(value) if value[:1] == '"' else value
    except ValueError:
        return ""
    return found if isinstance(found, str) else ""


def _asked(values: dict[str, Any]) -> str:
    named = answer.opened(values, ".request").get("model")
    return _plain(values.get(".asked")) or (named if isinstance(named, str) else "")


def _provider(name: str, values: Mapping[str, Any]) -> str | None:
    """Who was asked, by name or by the client whose messages these are."""
    named = _plain(values.get(".mlflow_provider"))
    messages = _plain(values.get(".mlflow_format"))
    if named or providers.known(messages):
        return named or messages
    return "openai" if ".asked" in values and (".mlflow" not in values or name in _CLIENTS) else None


def _operation(method: str, inputs: Mapping[str, Any], values: Mapping[str, Any]) -> str:
    if _plain(values.get(".mlflow")) == "EMBEDDING" or method.endswith("embeddings"):
        return "embeddings"
    plain = "prompt" in inputs and "messages" not in inputs
    return "text_completion" if plain or method.startswith("completions") else "chat"


def _body(values: dict[str, Any], record: Record) -> dict[str, Any]:
    """The provider's body; that of a stream is put together anew, because MLflow's own loses its end and tools."""
    returned = answer.opened(values, ".returned")
    whole = returned if not returned.keys().isdisjoint(_BODIES) else {}
    chunks = [event for event in record.events() if event.name.startswith(_CHUNK)]
    if not chunks:
        return whole
    streamed = streams.of_events(_chunk(event) for event in chunks)
    if chunks[0].name != FIRST_CHUNK and "choices" in streamed:
        streamed["choices"] = [_last_words(streamed, whole)]  # a span keeps no more than its last events
    return whole | streamed


def _without_dumps(messages: Any) -> Any:
    """Messages without texts that are no texts: in OpenTelemetry's names reasoning is a text of JSON."""
    found = messages if isinstance(messages, list) else []
    for message in found:
        if isinstance(message, dict) and isinstance(message.get("parts"), list):
            message["parts"] = [part for part in message["parts"] if not _is_dump(part)]
    return found


def _is_dump(part: Any) -> bool:
    content = part.get("content") if isinstance(part, dict) else None
    block = answer.body(content) if isinstance(content, str) and content[:1] == "{" else None
    return isinstance(block, dict) and str(block.get("type")) in _DUMPED


def _chunk(event: Event) -> Any:
    return answer.body(event.attributes().get("mlflow.chunk.value"))


def _last_words(streamed: Mapping[str, Any], whole: Mapping[str, Any]) -> dict[str, Any]:
    """The text that MLflow put together, with the reason of the last chunk; how many tools were called nothing says."""
    finish = streamed["choices"][0]["finish_reason"]
    choices = whole.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if finish not in _UNTOLD and isinstance(choice, dict) else None
    return {"finish_reason": finish, "message": message}


def _usage(values: dict[str, Any], body: dict[str, Any]) -> dict[str, int]:
    """MLflow's own count, and the parts of it in the provider's; MLflow counts no tokens of embeddings."""
    told = answer.opened(values, ".usage")
    usage = {field: number for field, key in _USAGE.items() if (number := count(told.get(key))) is not None}
    total, written = count(told.get("total_tokens")), count(told.get("cache_creation_input_tokens"))
    settle.tokens(usage, Counter(), total, written)
    if not usage:
        return answer.usage(body) if "data" not in body else {}
    return {name: number for name, number in answer.usage(body).items() if name in _PARTS} | usage
