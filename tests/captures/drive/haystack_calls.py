"""Pipelines of Haystack with one chat generator, its agent, and its embedder."""

from collections.abc import Callable
from typing import Any

from calls import UPSTREAM, Call
from haystack import Pipeline
from haystack.components.agents import Agent
from haystack.components.embedders import OpenAITextEmbedder
from haystack.components.generators.chat import OpenAIChatGenerator
from haystack.dataclasses import ChatMessage
from haystack.tools import Tool
from haystack.utils import Secret

QUESTION = "What is the largest city of Peru?"
WEATHER = Tool(
    name="weather", description="weather", parameters={"type": "object", "properties": {}}, function=lambda: "sunny"
)


def haystack_calls() -> list[Call]:
    """One run each."""
    return [
        ("plain", _run("gpt-4o")),
        ("length", _run("gpt-4o-mini", temperature=0.2, max_tokens=16)),
        ("cached", _run("gpt-4o")),
        ("reasoning", _run("o3-mini")),
        ("json", _run("gpt-4o", response_format={"type": "json_object"})),
        ("tool", _run("gpt-4o", tools=[WEATHER])),
        ("plain", _stream()),
        ("plain", _stream(stream_options={"include_usage": True})),
        ("plain", _agent),
        ("plain", _embed),
        ("plain 429", _run("gpt-4o")),
        ("plain 500", _run("gpt-4o-mini")),
        ("plain cut", _stream()),
        ("plain left", _stream(left=True)),
    ]


def _common(headers: dict[str, str]) -> dict[str, Any]:
    client = {"max_retries": 0, "http_client_kwargs": {"headers": headers}}
    return {"api_key": Secret.from_token("made-up"), "api_base_url": f"{UPSTREAM}/v1"} | client


def _generator(headers: dict[str, str], model: str, **given: Any) -> OpenAIChatGenerator:
    asked = {name: given.pop(name) for name in ("tools", "streaming_callback") if name in given}
    return OpenAIChatGenerator(model=model, generation_kwargs=given, **asked, **_common(headers))


def _pipeline(component: Any) -> Pipeline:
    pipeline = Pipeline()
    pipeline.add_component("llm", component)
    return pipeline


def _run(model: str, **given: Any) -> Callable[[dict[str, str]], Any]:
    def call(headers: dict[str, str]) -> Any:
        pipeline = _pipeline(_generator(headers, model, **given))
        return pipeline.run({"llm": {"messages": [ChatMessage.from_user(QUESTION)]}})

    return call


class _LeftError(Exception):
    """The application has seen enough of a stream."""


def _stream(*, left: bool = False, **given: Any) -> Callable[[dict[str, str]], Any]:
    def take(chunk: Any) -> None:
        if left and chunk.content:
            raise _LeftError

    def call(headers: dict[str, str]) -> None:
        try:
            _run("gpt-4o", streaming_callback=take, **given)(headers)
        except Exception as error:
            if not isinstance(error.__cause__ or error, _LeftError):
                raise

    return call


def _agent(headers: dict[str, str]) -> Any:
    agent = Agent(chat_generator=_generator(headers, "gpt-4o-mini"), tools=[WEATHER])
    return _pipeline(agent).run({"llm": {"messages": [ChatMessage.from_user(QUESTION)]}})


def _embed(headers: dict[str, str]) -> Any:
    embedder = OpenAITextEmbedder(model="text-embedding-3-small", **_common(headers))
    return _pipeline(embedder).run({"llm": {"text": QUESTION}})
