"""What the URL of a call says, or else its answer: the host that was called, and the operation that was asked for."""

import re
from typing import Any
from urllib.parse import urlsplit

_OPERATIONS = (
    (
        re.compile(r"chat/completions$|/messages$|/converse(-stream)?$|/invoke(-with-response-stream)?$|/api/chat$"),
        "chat",
    ),
    (re.compile(r"/?completions$|/complete$|/api/generate$"), "text_completion"),
    (re.compile(r"responses$"), "responses"),
    (re.compile(r":(stream)?generatecontent$"), "generate_content"),
    (re.compile(r"embeddings?$|:(batch)?embedcontents?$|/embed$"), "embeddings"),
    (re.compile(r"rerank$"), "rerank"),
    (re.compile(r"moderations$"), "moderation"),
    (re.compile(r"images/(generations|edits|variations)$"), "image_generation"),
    (re.compile(r"audio/speech$"), "speech"),
    (re.compile(r"audio/(transcriptions|translations)$"), "transcription"),
)

_OBJECTS = {"chat.completion": "chat", "text_completion": "text_completion", "response": "responses"}


def operation(url: Any) -> str | None:
    """The operation behind the path of an upstream URL or a bare path, None where it is not known."""
    if not isinstance(url, str):
        return None
    path = url.partition("?")[0].rstrip("/").lower()
    return next((name for pattern, name in _OPERATIONS if pattern.search(path)), None)


def host(url: Any) -> str | None:
    """The host of a URL, without its port; None for a path, and where it cannot be read."""
    try:
        return urlsplit(url).hostname if isinstance(url, str) and "//" in url else None
    except ValueError:
        return None


def fill(fields: dict[str, Any], url: Any) -> None:
    """Set `operation` and `server_address` of a call by its URL, where the log itself does not say them.

    Where the URL is none, what kind of object the answer calls itself says the operation.
    """
    found_operation = operation(url) or _answered(fields.get("response_body"))
    for name, found in (("operation", found_operation), ("server_address", host(url))):
        if found and not fields.get(name):
            fields[name] = found


def _answered(body: Any) -> str | None:
    kind = body.get("object") if isinstance(body, dict) else None
    items = body["data"] if kind == "list" and isinstance(body.get("data"), list) else []
    if items and isinstance(items[0], dict) and items[0].get("object") == "embedding":
        return "embeddings"
    return _OBJECTS.get(kind) if isinstance(kind, str) else None
