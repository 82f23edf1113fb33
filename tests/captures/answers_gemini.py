"""What the fake upstream answers in the shapes of Gemini's API, `generateContent` and its stream."""

import re
from typing import Any

from answers import TOOLS, Answer, pieces

PATH = re.compile(r"/models/([^/:]+):(g|streamG)enerateContent$")
REASONS = {"stop": "STOP", "length": "MAX_TOKENS", "tool_calls": "STOP", "content_filter": "SAFETY"}
STATUSES = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 429: "RESOURCE_EXHAUSTED", 500: "INTERNAL"}


def asked(path: str, body: dict[str, Any]) -> dict[str, Any]:
    """What a body of OpenAI's API says of the call, and Gemini's has in its path and its configuration."""
    found = PATH.search(path)
    if not found:
        return {}
    given = body.get("generationConfig") or {}
    told = {"max_tokens": given.get("maxOutputTokens"), "temperature": given.get("temperature")}
    return told | {"model": found[1], "stream": found[2] == "streamG"}


def whole(answer: Answer) -> dict[str, Any]:
    """A whole answer. Gemini counts its thoughts beside the candidates."""
    kind = answer.kind
    usage = {
        "promptTokenCount": answer.input_tokens,
        "candidatesTokenCount": answer.output_tokens - kind.reasoning,
        "totalTokenCount": answer.input_tokens + answer.output_tokens,
    }
    usage |= {"thoughtsTokenCount": kind.reasoning} if kind.reasoning else {}
    usage |= {"cachedContentTokenCount": kind.cached} if kind.cached else {}
    calls = [{"functionCall": {"name": tool, "args": {"place": "Lima"}}} for tool in TOOLS[: kind.tools]]
    return _frame(answer, calls or [{"text": answer.text}], REASONS[kind.openai]) | {"usageMetadata": usage}


def chunks(answer: Answer) -> list[dict[str, Any]]:
    """The same as a stream, whose last chunk has the reason and the usage."""
    last = whole(answer)
    if answer.kind.tools:
        return [last]
    last["candidates"][0]["content"]["parts"] = [{"text": ""}]
    return [_frame(answer, [{"text": word}], None) for word in pieces(answer.text)] + [last]


def error(status: int, message: str) -> dict[str, Any]:
    """A refusal."""
    return {"error": {"code": status, "message": message, "status": STATUSES[status]}}


def _frame(answer: Answer, parts: list[dict[str, Any]], reason: str | None) -> dict[str, Any]:
    candidate = {"content": {"role": "model", "parts": parts}, "index": 0}
    candidate |= {"finishReason": reason} if reason else {}
    return {"candidates": [candidate], "modelVersion": answer.served_model, "responseId": answer.key}
