"""The calls of an application that uses Anthropic's client: messages, streamed in each way, failures of each kind."""

from collections.abc import Callable
from functools import partial
from inspect import signature
from typing import Any

from calls import TIMEOUT_S, UPSTREAM, Call
from openai_calls import drain, drain_async, leave

ASK = [{"role": "user", "content": "What is the largest city of Peru?"}]
SONNET, HAIKU = "claude-sonnet-4-0", "claude-3-5-haiku-latest"
TOOLS = [
    {"name": name, "description": name, "input_schema": {"type": "object", "properties": {"place": {"type": "string"}}}}
    for name in ("weather", "clock")
]
THINK = {"type": "enabled", "budget_tokens": 1024}


def anthropic_calls(module: Any) -> list[Call]:
    """The calls, with the clients of `module`, which is `anthropic`."""
    options = {"base_url": UPSTREAM, "api_key": "sk-made-up", "max_retries": 0}
    client, later = module.Anthropic(**options), module.AsyncAnthropic(**options)
    hasty = module.Anthropic(**options | {"timeout": TIMEOUT_S})
    patient = module.Anthropic(**options | {"max_retries": 2})
    knows = "temperature" in signature(client.messages.create).parameters  # which version 2 dropped
    warm = {"temperature": 0.2} if knows else {}
    return [*_messages(client, warm), *_streams(client), *_asynchronous(later), *_failures(client, hasty, patient)]


def _call(function: Callable[..., Any], **given: Any) -> Callable[[dict[str, str]], Any]:
    given = {"messages": ASK, "max_tokens": 512} | given
    return lambda headers: drain(function(extra_headers=headers, **given))


def _manager(function: Callable[..., Any], **given: Any) -> Callable[[dict[str, str]], Any]:
    def call(headers: dict[str, str]) -> None:
        with function(extra_headers=headers, messages=ASK, max_tokens=512, **given) as stream:
            drain(stream)

    return call


def _messages(client: Any, warm: dict[str, Any]) -> list[Call]:
    ask = partial(_call, client.messages.create)
    return [
        ("plain", ask(model=SONNET)),
        ("plain", ask(model=HAIKU, system="Be brief.", **warm)),
        ("length", ask(model=HAIKU, max_tokens=16)),
        ("tool", ask(model=SONNET, tools=TOOLS)),
        ("tools", ask(model=SONNET, tools=TOOLS)),
        ("cached", ask(model=SONNET)),
        ("sequence", ask(model=SONNET, stop_sequences=["END"])),
        ("refusal", ask(model=SONNET)),
        ("reasoning", ask(model=SONNET, max_tokens=2048, thinking=THINK)),
    ]


def _streams(client: Any) -> list[Call]:
    ask = partial(_call, client.messages.create, stream=True)
    kept = partial(client.messages.create, model=SONNET, max_tokens=512, messages=ASK, stream=True)
    return [
        ("plain", ask(model=SONNET)),
        ("tools", ask(model=SONNET, tools=TOOLS)),
        ("cached", ask(model=HAIKU)),
        ("plain", _manager(client.messages.stream, model=SONNET)),
        ("plain left", lambda headers: leave(kept(extra_headers=headers))),
    ]


def _asynchronous(later: Any) -> list[Call]:
    def ask(**given: Any) -> Callable[[dict[str, str]], Any]:
        given |= {"messages": ASK, "max_tokens": 512}
        return lambda headers: drain_async(later.messages.create(extra_headers=headers, **given))

    async def managed(headers: dict[str, str]) -> None:
        given = {"model": HAIKU, "messages": ASK, "max_tokens": 512}
        async with later.messages.stream(extra_headers=headers, **given) as stream:
            async for _ in stream:
                pass

    return [("plain", ask(model=SONNET)), ("plain", ask(model=SONNET, stream=True)), ("plain", managed)]


def _failures(client: Any, hasty: Any, patient: Any) -> list[Call]:
    ask = partial(_call, client.messages.create)
    return [
        ("plain 429", ask(model=SONNET)),
        ("plain 500", ask(model=HAIKU)),
        ("plain 529", ask(model=SONNET)),
        ("plain 400", ask(model=HAIKU)),
        ("plain 401", ask(model=SONNET)),
        ("plain slow", _call(hasty.messages.create, model=SONNET)),
        ("plain 429-once", _call(patient.messages.create, model=HAIKU)),
        ("plain 429", ask(model=SONNET, stream=True)),
        ("plain cut", ask(model=SONNET, stream=True)),
        ("plain broken", ask(model=HAIKU, stream=True)),
        ("plain 500", _manager(client.messages.stream, model=SONNET)),
    ]
