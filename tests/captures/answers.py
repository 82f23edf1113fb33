"""What the fake upstream answers: each kind of answer, in the shapes of OpenAI and of Anthropic.

Token counts differ from call to call, so that a decoder that takes them from another call, or adds them up wrongly, is
found out. Every text is made up.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

SNAPSHOTS = {
    "gpt-4o": "gpt-4o-2024-11-20",
    "gpt-4o-mini": "gpt-4o-mini-2024-07-18",
    "o3-mini": "o3-mini-2025-01-31",
    "gpt-3.5-turbo-instruct": "gpt-3.5-turbo-instruct-0914",
    "claude-sonnet-4-0": "claude-sonnet-4-20250514",
    "claude-3-5-haiku-latest": "claude-3-5-haiku-20241022",
    "gemini-2.5-flash": "gemini-2.5-flash-001",
}
"""What a provider declares for the name that was asked for."""

TOOLS = ("weather", "clock")
JSON_TEXT = '{"city": "Lima", "millions": 10}'


@dataclass(frozen=True)
class Kind:
    """How an answer ends, in OpenAI's words and in Anthropic's, and what is in it."""

    openai: str = "stop"
    anthropic: str = "end_turn"
    tools: int = 0
    json: bool = False
    refusal: bool = False
    cached: int = 0
    written: int = 0
    reasoning: int = 0
    fingerprint: bool = True


KINDS = {
    "plain": Kind(),
    "length": Kind("length", "max_tokens"),
    "tool": Kind("tool_calls", "tool_use", tools=1),
    "tools": Kind("tool_calls", "tool_use", tools=2),
    "json": Kind(json=True),
    "refusal": Kind("stop", "refusal", refusal=True),
    "filtered": Kind("content_filter", "refusal"),
    "cached": Kind(cached=32, written=16),
    "reasoning": Kind(reasoning=64, cached=8),
    "anonymous": Kind(fingerprint=False),
    "sequence": Kind("stop", "stop_sequence"),
}
"""Answers by the name that a driver asks for."""


@dataclass(frozen=True)
class Answer:
    """One answer to one call."""

    call: int
    attempt: int
    model: str
    kind: Kind

    @property
    def key(self) -> str:
        """24 characters that no other answer has."""
        return hashlib.sha256(f"{self.call}.{self.attempt}".encode()).hexdigest()[:24]

    @property
    def served_model(self) -> str:
        """The snapshot that answered."""
        return SNAPSHOTS.get(self.model, self.model)

    @property
    def text(self) -> str:
        """The words of the answer, none where it calls tools."""
        if self.kind.tools:
            return ""
        if self.kind.json:
            return JSON_TEXT
        return "I am sorry, I cannot help." if self.kind.refusal else f"Answer number {self.call} of the capture."

    @property
    def fresh_tokens(self) -> int:
        """Prompt tokens that were neither read from the cache nor written to it."""
        return 40 + self.call

    @property
    def input_tokens(self) -> int:
        """All tokens of the prompt."""
        return self.fresh_tokens + self.kind.cached + self.kind.written

    @property
    def output_tokens(self) -> int:
        """All tokens of the answer, those of reasoning included."""
        return 7 + 3 * self.call + self.kind.reasoning

    @property
    def fingerprint(self) -> str | None:
        """OpenAI's system_fingerprint."""
        return f"fp_{hashlib.sha256(self.served_model.encode()).hexdigest()[:10]}" if self.kind.fingerprint else None

    def arguments(self, tool: str) -> str:
        """The JSON text of a tool call's arguments."""
        return json.dumps({"place": "Lima", "tool": tool})


def chat_usage(answer: Answer) -> dict[str, Any]:
    """`usage` of a chat completion."""
    return {
        "prompt_tokens": answer.input_tokens,
        "completion_tokens": answer.output_tokens,
        "total_tokens": answer.input_tokens + answer.output_tokens,
        "prompt_tokens_details": {"cached_tokens": answer.kind.cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": answer.kind.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def tool_calls(answer: Answer) -> list[dict[str, Any]]:
    """The tool calls of a chat completion."""
    return [
        {
            "id": f"call_{answer.key}{n}",
            "type": "function",
            "function": {"name": tool, "arguments": answer.arguments(tool)},
        }
        for n, tool in enumerate(TOOLS[: answer.kind.tools])
    ]


def chat(answer: Answer, choices: int) -> dict[str, Any]:
    """A whole chat completion."""
    message: dict[str, Any] = {"role": "assistant", "content": answer.text or None, "refusal": None}
    if answer.kind.refusal:
        message |= {"content": None, "refusal": answer.text}
    if answer.kind.tools:
        message["tool_calls"] = tool_calls(answer)
    return _chat_frame(answer, "chat.completion") | {
        "choices": [
            {"index": n, "message": message, "logprobs": None, "finish_reason": answer.kind.openai}
            for n in range(choices)
        ],
        "usage": chat_usage(answer),
    }


def _chat_frame(answer: Answer, kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{answer.key}",
        "object": kind,
        "created": 1750000000,
        "model": answer.served_model,
        "service_tier": "default",
        "system_fingerprint": answer.fingerprint,
    }


def chat_chunks(answer: Answer, include_usage: bool) -> list[dict[str, Any]]:
    """The same as a stream; the last chunk has the usage and no choice."""
    frame = _chat_frame(answer, "chat.completion.chunk")
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": None if answer.kind.tools else ""}]
    for n, call in enumerate(tool_calls(answer)):
        function = call["function"]
        deltas.append({"tool_calls": [call | {"index": n, "function": function | {"arguments": ""}}]})
        deltas.append({"tool_calls": [{"index": n, "function": {"arguments": function["arguments"]}}]})
    part = "refusal" if answer.kind.refusal else "content"
    deltas += [{part: word} for word in pieces(answer.text)]
    chunks = [_chunk(frame, delta, None) for delta in deltas] + [_chunk(frame, {}, answer.kind.openai)]
    if include_usage:
        chunks = [chunk | {"usage": None} for chunk in chunks] + [frame | {"choices": [], "usage": chat_usage(answer)}]
    return chunks


def _chunk(frame: dict[str, Any], delta: dict[str, Any], reason: str | None) -> dict[str, Any]:
    return frame | {"choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}]}


def pieces(text: str) -> list[str]:
    """A text as a stream brings it, word by word."""
    words = text.split(" ")
    return [word + " " for word in words[:-1]] + words[-1:] if text else []


def completion(answer: Answer) -> dict[str, Any]:
    """An answer of the legacy completions endpoint."""
    choice = {"text": answer.text, "index": 0, "logprobs": None, "finish_reason": answer.kind.openai}
    usage = {name: value for name, value in chat_usage(answer).items() if not name.endswith("_details")}
    frame = _chat_frame(answer, "text_completion")
    return frame | {"id": f"cmpl-{answer.key}", "choices": [choice], "usage": usage}


def embeddings(answer: Answer, texts: int, base64: bool) -> dict[str, Any]:
    """Vectors of three numbers."""
    vector: Any = "AACAPwAAAAAAAAAA" if base64 else [1.0, 0.0, 0.0]
    return {
        "object": "list",
        "data": [{"object": "embedding", "index": n, "embedding": vector} for n in range(texts)],
        "model": answer.model,
        "usage": {"prompt_tokens": answer.input_tokens, "total_tokens": answer.input_tokens},
    }
