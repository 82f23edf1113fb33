"""A few runs of Pydantic AI agents: with a tool, streamed, with structured output, and failing."""

import os
from collections.abc import Callable
from typing import Any

import anthropic
import openai
from calls import UPSTREAM, Call
from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider

QUESTION = "What is the largest city of Peru?"


class City(BaseModel):
    """What the structured answer is."""

    city: str
    millions: int


def agent_calls() -> list[Call]:
    """One run each; every run here makes one call."""
    os.environ["OPENAI_API_KEY"] = "made-up"
    client = openai.AsyncOpenAI(base_url=f"{UPSTREAM}/v1", max_retries=0)
    theirs = anthropic.AsyncAnthropic(base_url=UPSTREAM, api_key="made-up", max_retries=0)
    chat = OpenAIChatModel("gpt-4o", provider=OpenAIProvider(openai_client=client))
    small = OpenAIChatModel("gpt-4o-mini", provider=OpenAIProvider(openai_client=client))
    responses = OpenAIResponsesModel("gpt-4o", provider=OpenAIProvider(openai_client=client))
    sonnet = AnthropicModel("claude-sonnet-4-0", provider=AnthropicProvider(anthropic_client=theirs))
    return [
        ("plain", _run(chat)),
        ("plain", _run(small, temperature=0.2, max_tokens=256)),
        ("cached", _run(chat)),
        ("json", _run(chat, output_type=City)),
        ("plain", _stream(chat)),
        ("plain", _run(responses)),
        ("reasoning", _run(responses)),
        ("plain", _run(sonnet)),
        ("cached", _run(sonnet)),
        ("plain", _stream(sonnet)),
        ("plain 429", _run(chat)),
        ("plain 500", _run(small)),
        ("plain 529", _run(sonnet)),
        ("plain cut", _stream(chat)),
    ]


def _agent(model: Any, headers: dict[str, str], settings: dict[str, Any]) -> Any:
    kind = settings.pop("output_type", str)
    kind = NativeOutput(kind) if kind is not str else kind
    return Agent(model, output_type=kind, retries=0, model_settings=settings | {"extra_headers": headers})


def _run(model: Any, **settings: Any) -> Callable[[dict[str, str]], Any]:
    return lambda headers: _agent(model, headers, dict(settings)).run(QUESTION)


def _stream(model: Any) -> Callable[[dict[str, str]], Any]:
    async def call(headers: dict[str, str]) -> None:
        async with _agent(model, headers, {}).run_stream(QUESTION) as result:
            async for _ in result.stream_text():
                pass

    return call
