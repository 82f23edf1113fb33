"""Calls of an application that uses LlamaIndex: its client of OpenAI, an index asked a question, and embeddings."""

from collections.abc import Callable
from typing import Any

from calls import UPSTREAM, Call
from llama_index.core import Document, SummaryIndex
from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index.embeddings.openai import OpenAIEmbedding
from llama_index.llms.openai import OpenAI, OpenAIResponses

QUESTION = "What is the largest city of Peru?"
MESSAGES = [ChatMessage(role="user", content=QUESTION)]


def weather() -> str:
    """The weather."""
    return "sunny"


WEATHER = FunctionTool.from_defaults(weather)


def llama_index_calls() -> list[Call]:
    """One call each."""
    return [
        ("plain", _chat("gpt-4o")),
        ("length", _chat("gpt-4o-mini", temperature=0.2, max_tokens=16)),
        ("cached", _chat("gpt-4o")),
        ("reasoning", _chat("o3-mini")),
        ("tool", lambda headers: _model(headers, "gpt-4o").chat_with_tools([WEATHER], user_msg=QUESTION)),
        ("plain", lambda headers: _model(headers, "gpt-4o").complete(QUESTION)),
        ("plain", lambda headers: _model(headers, "gpt-4o").achat(MESSAGES)),
        ("plain", _stream()),
        ("plain", _stream(additional_kwargs={"stream_options": {"include_usage": True}})),
        ("plain", _asynchronous_stream),
        ("plain", _query),
        ("plain", lambda headers: _model(headers, "gpt-4o", OpenAIResponses).chat(MESSAGES)),
        ("plain", _embed),
        ("plain 429", _chat("gpt-4o")),
        ("plain 500", _chat("gpt-4o-mini")),
        ("plain cut", _stream()),
        ("plain left", _left),
    ]


def _model(headers: dict[str, str], model: str, kind: Any = OpenAI, **given: Any) -> Any:
    url = f"{UPSTREAM}/v1"
    return kind(model=model, api_base=url, api_key="made-up", max_retries=0, default_headers=headers, **given)


def _chat(model: str, **given: Any) -> Callable[[dict[str, str]], Any]:
    return lambda headers: _model(headers, model, **given).chat(MESSAGES)


def _stream(**given: Any) -> Callable[[dict[str, str]], Any]:
    return lambda headers: list(_model(headers, "gpt-4o", **given).stream_chat(MESSAGES))


async def _asynchronous_stream(headers: dict[str, str]) -> None:
    async for _ in await _model(headers, "gpt-4o-mini").astream_chat(MESSAGES):
        pass


def _left(headers: dict[str, str]) -> None:
    chunks = _model(headers, "gpt-4o").stream_chat(MESSAGES)
    next(chunks)
    next(chunks)
    chunks.close()


def _query(headers: dict[str, str]) -> Any:
    index = SummaryIndex.from_documents([Document(text="Lima is the largest city of Peru.")])
    return index.as_query_engine(llm=_model(headers, "gpt-4o-mini")).query(QUESTION)


def _embed(headers: dict[str, str]) -> Any:
    url = f"{UPSTREAM}/v1"
    model = OpenAIEmbedding(api_base=url, api_key="made-up", max_retries=0, default_headers=headers)
    return model.get_text_embedding(QUESTION)
