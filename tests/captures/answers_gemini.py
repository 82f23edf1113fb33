"""What the fake upstream answers at Gemini's API: `models/MODEL:generateContent` and `:streamGenerateContent`."""

import json
from collections.abc import Iterator
from typing import Any

from answers import TOOLS, Answer, pieces

REASONS = {"length": "MAX_TOKENS", "content_filter": "SAFETY"}
"""OpenAI's word for the end of an answer -> Gemini's, where it is not STOP."""

STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
}
"""HTTP status -> gRPC's word for it."""


def model(path: str) -> str:
    """The model that a path names."""
    return path.rpartition("/models/")[2].partition(":")[0]


def reason(answer: Answer) -> str:
    """Why the answer ends."""
    return REASONS.get(answer.kind.openai, "STOP")


def response(answer: Answer) -> dict[str, Any]:
    """A whole answer."""
    return _frame(answer, _parts(answer), reason(answer)) | {"usageMetadata": _usage(answer)}


def chunks(answer: Answer) -> Iterator[dict[str, Any]]:
    """The same as a stream; usage comes with the last chunk, as does the reason."""
    for word in pieces(answer.text):
        yield _frame(answer, [{"text": word}], None)
    yield _frame(answer, [] if answer.text else _parts(answer), reason(answer)) | {"usageMetadata": _usage(answer)}


def error(status: int, call: int) -> dict[str, Any]:
    """The body of a failure."""
    return {"error": {"code": status, "message": f"fault of call {call}", "status": STATUSES.get(status)}}


def _parts(answer: Answer) -> list[dict[str, Any]]:
    if answer.kind.tools:
        return [
            {"functionCall": {"name": tool, "args": json.loads(answer.arguments(tool))}}
            for tool in TOOLS[: answer.kind.tools]
        ]
    return [{"text": answer.text}]


def _usage(answer: Answer) -> dict[str, Any]:
    kind = answer.kind
    usage = {
        "promptTokenCount": answer.input_tokens,
        "candidatesTokenCount": answer.output_tokens - kind.reasoning,
        "totalTokenCount": answer.input_tokens + answer.output_tokens,
    }
    more = {"cachedContentTokenCount": kind.cached, "thoughtsTokenCount": kind.reasoning}
    return usage | {name: count for name, count in more.items() if count}


def _frame(answer: Answer, parts: list[dict[str, Any]], ended: str | None) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": parts}, "index": 0}
    if ended:
        candidate["finishReason"] = ended
    return {"candidates": [candidate], "modelVersion": answer.served_model, "responseId": answer.key}
