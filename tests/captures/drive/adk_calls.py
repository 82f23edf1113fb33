"""Runs of agents of Google's ADK, on Gemini and, through LiteLLM, on OpenAI's models."""

import os
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

from calls import UPSTREAM, Call
from google.adk.agents import LlmAgent, RunConfig
from google.adk.agents.run_config import StreamingMode
from google.adk.models import Gemini
from google.adk.models.lite_llm import LiteLlm
from google.adk.runners import InMemoryRunner
from google.genai import types

QUESTION = types.Content(role="user", parts=[types.Part(text="What is the largest city of Peru?")])


def weather(place: str) -> str:
    """Tell how the weather is."""
    return f"fair in {place}"


def adk_calls() -> list[Call]:
    """One run each, which makes one call."""
    os.environ["GOOGLE_API_KEY"] = "made-up"
    flash = Gemini(model="gemini-2.5-flash", base_url=UPSTREAM)
    openai = {"api_base": f"{UPSTREAM}/v1", "api_key": "made-up", "num_retries": 0, "max_retries": 0}
    mini, o3 = LiteLlm(model="openai/gpt-4o-mini", **openai), LiteLlm(model="openai/o3-mini", **openai)
    return [
        ("plain", _run(flash, max_output_tokens=256, temperature=0.2)),
        ("reasoning", _run(flash)),
        ("tool", _run(flash)),
        ("plain", _stream(flash)),
        ("plain 429", _run(flash)),
        ("plain 500", _run(flash)),
        ("plain left", _stream(flash, leaves=True)),
        ("plain", _run(mini)),
        ("length", _run(mini, max_output_tokens=16)),
        ("cached", _run(mini)),
        ("reasoning", _run(o3)),
        ("tool", _run(mini)),
        ("plain", _stream(mini)),
        ("plain 429", _run(mini)),
        ("plain 500", _run(mini)),
        ("plain cut", _stream(mini)),
        ("plain left", _stream(mini, leaves=True)),
    ]


def _run(model: Any, **settings: Any) -> Callable[[dict[str, str]], Any]:
    return lambda headers: _events(model, headers, settings, StreamingMode.NONE, leaves=False)


def _stream(model: Any, *, leaves: bool = False) -> Callable[[dict[str, str]], Any]:
    return lambda headers: _events(model, headers, {}, StreamingMode.SSE, leaves=leaves)


async def _events(
    model: Any, headers: dict[str, str], settings: dict[str, Any], mode: StreamingMode, *, leaves: bool
) -> None:
    """One run, which ends with the first call of a tool, or where it `leaves`, with the first piece of the answer."""
    options = types.GenerateContentConfig(http_options=types.HttpOptions(headers=headers), **settings)
    agent = LlmAgent(name="bot", model=model, tools=[weather], generate_content_config=options)
    runner = InMemoryRunner(agent, app_name="capture")
    session = await runner.session_service.create_session(app_name="capture", user_id="someone")
    async with aclosing(
        runner.run_async(
            user_id="someone",
            session_id=session.id,
            new_message=QUESTION,
            run_config=RunConfig(streaming_mode=mode),
        )
    ) as events:
        async for event in events:
            if event.error_code and not event.content:
                raise RuntimeError(event.error_message)
            if event.get_function_calls() or (leaves and event.partial):
                break
