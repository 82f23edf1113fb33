"""What clients ask of the proxy: numbered requests of many kinds, always the same ones for the same count."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from tests.litellm.proxy import KEY

TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
JSON_OBJECT = {"type": "json_object"}
USAGE = {"include_usage": True}
CONCURRENCY = 6
TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Ask:
    """One request of a client; one that is `gone` hangs up after a few chunks."""

    number: int
    model: str
    words: str = "how fast is the river"
    options: dict[str, Any] = field(default_factory=dict)
    gone: bool = False

    @property
    def body(self) -> dict[str, Any]:
        """Of a chat completion, or of an embedding where the model is one."""
        text = f"#{self.number} {self.words}"
        told = {"request": str(self.number), "route": f"route-{self.number % 3}", "prompt_version": "v7"}
        asked = {"input": text} if self.model.startswith("emb") else {"messages": [{"role": "user", "content": text}]}
        return {"model": self.model, "metadata": told} | asked | self.options


KINDS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("gpt-4o", {}),
    ("gpt-4o", {"stream": True}),
    ("gpt-4o", {"stream": True, "stream_options": USAGE}),
    ("gpt-4o", {"tools": [TOOL]}),
    ("gpt-4o", {"tools": [TOOL], "stream": True}),
    ("gpt-4o", {"response_format": JSON_OBJECT}),
    ("gpt-4o", {"max_tokens": 5, "temperature": 0.2}),
    ("gpt-4o refuse", {}),
    ("gpt-4o filter", {}),
    ("gpt-4o gone", {"stream": True}),
    ("gpt-4o-mini", {"temperature": 1}),
    ("gpt-4o-mini", {"stream": True, "max_tokens": 9}),
    ("gpt-4o-azure", {}),
    ("gpt-4o-azure", {"stream": True}),
    ("mistral-large", {}),
    ("mistral-large", {"stream": True}),
    ("llama", {}),
    ("llama", {"stream": True}),
    ("emb", {}),
    ("emb-fragile", {}),
    ("always-429", {}),
    ("always-429", {"stream": True}),
    ("always-500", {}),
    ("bad-request", {}),
    ("bad-key", {}),
    ("filtered", {}),
    ("slow", {}),
    ("slow", {"stream": True}),
    ("cut", {"stream": True}),
    ("flaky", {"num_retries": 2}),
    ("flaky", {"num_retries": 2, "stream": True}),
    ("fragile", {}),
    ("fragile", {"stream": True}),
    ("broken", {}),
    ("broken", {"stream": True}),
    ("unserved", {}),
)
"""Model group, with words that ask for a kind of answer, and what the body has besides. Nothing serves `unserved`."""

AGAIN = (0, 1, 2, 3, 4, 5, 12, 18)
"""Requests that are made once more where LiteLLM has a cache: chats, streams, tool calls, an embedding."""


def plan(count: int) -> list[Ask]:
    """The first `count` requests."""
    asks = []
    for number in range(count):
        kind, options = KINDS[number % len(KINDS)]
        model, _, word = kind.partition(" ")
        words = f"{word} how fast is the river".strip()
        asks.append(Ask(number, model, words, options, gone=word == "gone"))
    return asks


def ask_all(url: str, asks: Sequence[Ask]) -> dict[int, int]:
    """Send them, a few at a time; the HTTP status that each client saw, by number."""
    return asyncio.run(_ask_all(url, asks))


async def _ask_all(url: str, asks: Sequence[Ask]) -> dict[int, int]:
    free = asyncio.Semaphore(CONCURRENCY)
    headers = {"Authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=TIMEOUT_S) as client:

        async def one(ask: Ask) -> tuple[int, int]:
            async with free:
                return ask.number, await _ask(client, ask)

        return dict(await asyncio.gather(*map(one, asks)))


async def _ask(client: httpx.AsyncClient, ask: Ask) -> int:
    path = "/v1/embeddings" if "input" in ask.body else "/v1/chat/completions"
    async with client.stream("POST", path, json=ask.body) as response:
        chunks = 0
        async for line in response.aiter_lines():
            chunks += line.startswith("data:")
            if ask.gone and chunks == 3:
                break
        return response.status_code
