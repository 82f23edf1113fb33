"""What the fake provider answers: made of the request alone, so that a log of it can be checked number by number.

The last message (or an embedding's input) starts with `#<number>` and may hold words that ask for a kind of answer:
`refuse`, `filter`, or a long one for who will be `gone` before its end. Tokens are words.
"""

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import Any

REFUSAL = ["I'm", "sorry,", "but", "I", "can't", "help", "with", "that."]
WORDS = ("the", "river", "runs", "under", "a", "quiet", "surface", "and", "nobody", "sees", "how", "fast", "it", "is")
SNAPSHOTS = {
    "gpt-4o": ("gpt-4o-2024-11-20", "fp_4e706aec50"),
    "gpt-4o-mini": ("gpt-4o-mini-2024-07-18", "fp_0ba0d124f1"),
    "mistral-large-latest": ("mistral-large-2411", None),
    "llama-3.3-70b": ("llama-3.3-70b-versatile", "fp_3f3b593e33"),
}
"""Model as it is asked for -> what the provider says it served, and its fingerprint."""

ERRORS: dict[str, tuple[int, dict[str, Any]]] = {
    "fail-429": (429, {"message": "slow down", "type": "requests", "code": "rate_limit_exceeded"}),
    "fail-500": (500, {"message": "it broke", "type": "server_error", "code": None}),
    "fail-400": (400, {"message": "bad parameter", "type": "invalid_request_error", "code": "invalid_value"}),
    "fail-401": (401, {"message": "bad key", "type": "invalid_request_error", "code": "invalid_api_key"}),
    "filtered": (400, {"message": "the prompt was filtered", "type": None, "code": "content_filter"}),
}
"""Models that always fail -> HTTP status and error object."""


@dataclass(frozen=True)
class Answer:
    """One completion: its text word by word, or its tool calls."""

    id: str
    model: str
    fingerprint: str | None
    prompt_tokens: int
    words: list[str] = field(default_factory=list)
    tool_calls: list[dict[str, Any]] = field(default_factory=list)
    refusal: bool = False
    finish_reason: str = "stop"

    @property
    def completion_tokens(self) -> int:
        """Words of the text; twelve for each tool call."""
        return len(self.words) + 12 * len(self.tool_calls)

    @property
    def usage(self) -> dict[str, Any]:
        """As OpenAI reports it."""
        total = self.prompt_tokens + self.completion_tokens
        cached = {"cached_tokens": self.prompt_tokens // 2}
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": total,
            "prompt_tokens_details": cached,
            "completion_tokens_details": {"reasoning_tokens": 0},
        }


def prompt_of(body: dict[str, Any]) -> str:
    """The text that carries the number: the last message, or what is to be embedded."""
    if "input" in body:
        return body["input"] if isinstance(body["input"], str) else str(body["input"][0])
    content = body["messages"][-1]["content"]
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def number_of(body: dict[str, Any]) -> int:
    """The client's number of the request, -1 where it has none."""
    found = re.search(r"#(\d+)", prompt_of(body))
    return int(found[1]) if found else -1


def answer(body: dict[str, Any], attempt: int) -> Answer:
    """The answer to the chat request `body`, asked for the `attempt`-th time."""
    number, prompt = number_of(body), prompt_of(body)
    identity = hashlib.sha256(f"{number}/{attempt}/{body['model']}".encode()).hexdigest()[:24]
    model, fingerprint = SNAPSHOTS.get(body["model"], (body["model"], None))
    common = {"id": f"chatcmpl-{identity}", "model": model, "fingerprint": fingerprint}
    common["prompt_tokens"] = 8 + sum(len(str(m["content"]).split()) for m in body["messages"])
    if body.get("tools"):
        return Answer(**common, tool_calls=_calls(body["tools"], identity), finish_reason="tool_calls")
    if "refuse" in prompt:
        return Answer(**common, words=REFUSAL, refusal=True)
    if "filter" in prompt:
        return Answer(**common, words=["well"], finish_reason="content_filter")
    if (body.get("response_format") or {}).get("type") in ("json_object", "json_schema"):
        text = json.dumps({"number": number, "city": "Paris"})
        return Answer(**common, words=(text[:-1] if number % 5 == 0 else text).split())
    length = 2000 if "gone" in prompt else 12 + number % 23
    words = [WORDS[(number + n) % len(WORDS)] for n in range(length)]
    limit = body.get("max_tokens") or body.get("max_completion_tokens")
    if limit and limit < len(words):
        return Answer(**common, words=words[:limit], finish_reason="length")
    return Answer(**common, words=words)


def _calls(tools: list[dict[str, Any]], identity: str) -> list[dict[str, Any]]:
    function = {"name": tools[0]["function"]["name"], "arguments": '{"city": "Paris"}'}
    return [{"id": f"call_{identity}", "type": "function", "function": function}]
