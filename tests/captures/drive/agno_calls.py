"""Runs of agno's agents on OpenAI's chat and Responses models: streamed, with tools, out of its cache, and failing."""

from collections.abc import Callable
from typing import Any

from agno.agent import Agent
from agno.models.openai import OpenAIChat, OpenAIResponses
from calls import UPSTREAM, Call

QUESTION = "What is the largest city of Peru?"


def agno_calls() -> list[Call]:
    """One run each, which makes one call; the second run of two is answered out of agno's cache."""
    return [
        ("plain", _run("gpt-4o")),
        ("length", _run("gpt-4o-mini", temperature=0.2, max_tokens=16)),
        ("cached", _run("gpt-4o")),
        ("reasoning", _run("o3-mini")),
        ("tool", _tool),
        ("plain", _stream),
        ("plain", lambda headers: _agent(headers, "gpt-4o-mini").arun(QUESTION)),
        ("plain", _run("gpt-4o", OpenAIResponses)),
        ("plain", _twice),
        ("plain 429", _run("gpt-4o")),
        ("plain 500", _run("gpt-4o-mini")),
        ("plain cut", _stream),
        ("plain left", _left),
    ]


class _FailedError(Exception):
    """agno says by a status that a run failed."""


def _model(headers: dict[str, str], model: str, kind: Any = OpenAIChat, **given: Any) -> Any:
    url = f"{UPSTREAM}/v1"
    return kind(id=model, base_url=url, api_key="made-up", max_retries=0, default_headers=headers, **given)


def _agent(headers: dict[str, str], model: str, kind: Any = OpenAIChat, **given: Any) -> Agent:
    return Agent(model=_model(headers, model, kind, **given), telemetry=False)


def _run(model: str, kind: Any = OpenAIChat, **given: Any) -> Callable[[dict[str, str]], Any]:
    def call(headers: dict[str, str]) -> None:
        if "ERROR" in str(_agent(headers, model, kind, **given).run(QUESTION).status).upper():
            raise _FailedError

    return call


def _stream(headers: dict[str, str]) -> None:
    events = [str(event.event) for event in _agent(headers, "gpt-4o").run(QUESTION, stream=True, stream_events=True)]
    if any("Error" in event for event in events):
        raise _FailedError


def _left(headers: dict[str, str]) -> None:
    chunks = _agent(headers, "gpt-4o").run(QUESTION, stream=True)
    next(chunks)
    chunks.close()


def _tool(headers: dict[str, str]) -> None:
    """One call, because the tool ends the run."""
    from agno.tools import tool

    @tool(stop_after_tool_call=True)
    def weather(place: str, tool: str) -> str:
        """The weather."""
        return f"sunny at {place}, says {tool}"

    Agent(model=_model(headers, "gpt-4o"), tools=[weather], telemetry=False).run(QUESTION)


def _twice(headers: dict[str, str]) -> None:
    for _ in range(2):
        _run("gpt-4o-mini", cache_response=True)(headers)
