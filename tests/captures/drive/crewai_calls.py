"""CrewAI: crews of one agent with one task, and its language model called by itself, streamed and failing."""

from collections.abc import Callable
from typing import Any

from calls import UPSTREAM, Call
from crewai import LLM, Agent, Crew, Task

QUESTION = "What is the largest city of Peru?"
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}


def crewai_calls() -> list[Call]:
    """One call each."""
    return [
        ("plain", _crew("gpt-4o")),
        ("length", _crew("gpt-4o-mini", temperature=0.2, max_tokens=16)),
        ("cached", _ask("gpt-4o")),
        ("reasoning", _ask("o3-mini")),
        ("tool", lambda headers: _model(headers, "gpt-4o").call(QUESTION, tools=[WEATHER])),
        ("plain", _ask("gpt-4o", stream=True)),
        ("plain", _ask("gpt-4o", api="responses")),
        ("plain 429", _ask("gpt-4o")),
        ("plain 500", _ask("gpt-4o-mini")),
        ("plain cut", _ask("gpt-4o", stream=True)),
    ]


def _model(headers: dict[str, str], model: str, **given: Any) -> Any:
    url = f"{UPSTREAM}/v1"
    return LLM(model=model, base_url=url, api_key="made-up", max_retries=0, default_headers=headers, **given)


def _ask(model: str, **given: Any) -> Callable[[dict[str, str]], Any]:
    return lambda headers: _model(headers, model, **given).call(QUESTION)


def _crew(model: str, **given: Any) -> Callable[[dict[str, str]], Any]:
    def call(headers: dict[str, str]) -> Any:
        llm = _model(headers, model, **given)
        agent = Agent(role="Geographer", goal="Answer.", backstory="Knows maps.", llm=llm, max_retry_limit=0)
        task = Task(description=QUESTION, expected_output="A city.", agent=agent)
        return Crew(agents=[agent], tasks=[task]).kickoff()

    return call
