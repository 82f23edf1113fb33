"""Calls of an application that uses LangChain's chat model: below a chain, streamed, with tools, and failing."""

from collections.abc import Callable
from typing import Any

from calls import UPSTREAM, Call
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_openai import ChatOpenAI

QUESTION = "What is the largest city of Peru?"
PROMPT = ChatPromptTemplate([("system", "Be brief."), ("user", "{question}")])
WEATHER = {"name": "weather", "description": "weather", "parameters": {"type": "object", "properties": {}}}


def langchain_calls() -> list[Call]:
    """One call each."""
    return [
        ("plain", _invoke("gpt-4o")),
        ("length", _invoke("gpt-4o-mini", temperature=0.2, max_tokens=16)),
        ("cached", _invoke("gpt-4o")),
        ("reasoning", _invoke("o3-mini")),
        ("tool", lambda headers: _model(headers, "gpt-4o").bind_tools([WEATHER]).invoke(QUESTION)),
        ("plain", _chain),
        ("plain", lambda headers: list(_model(headers, "gpt-4o", stream_usage=True).stream(QUESTION))),
        ("plain 429", _invoke("gpt-4o")),
        ("plain 500", _invoke("gpt-4o-mini")),
    ]


def _model(headers: dict[str, str], model: str, **given: Any) -> ChatOpenAI:
    url = f"{UPSTREAM}/v1"
    return ChatOpenAI(model=model, base_url=url, api_key="made-up", max_retries=0, default_headers=headers, **given)


def _invoke(model: str, **given: Any) -> Callable[[dict[str, str]], Any]:
    return lambda headers: _model(headers, model, **given).invoke(QUESTION)


def _chain(headers: dict[str, str]) -> Any:
    return (PROMPT | _model(headers, "gpt-4o-mini") | StrOutputParser()).invoke({"question": QUESTION})
