"""The calls of an application that uses OpenAI's client: every endpoint, streamed and not, failures of each kind."""

from collections.abc import Callable
from functools import partial
from typing import Any

from calls import TIMEOUT_S, UPSTREAM, Call

KEY = "sk-made-up"
ASK = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is the largest city of Peru?"}]
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "millions": {"type": "integer"}},
    "required": ["city", "millions"],
    "additionalProperties": False,
}
PLACE = {"type": "object", "properties": {"place": {"type": "string"}}}
FUNCTIONS = [{"name": name, "description": name, "parameters": PLACE} for name in ("weather", "clock")]
TOOLS = [{"type": "function", "function": function} for function in FUNCTIONS]
FLAT_TOOLS = [{"type": "function"} | function for function in FUNCTIONS]
USAGE = {"include_usage": True}


def drain(stream: Any) -> None:
    """Read a stream to its end, if it is one."""
    for _ in stream if hasattr(stream, "__iter__") and not hasattr(stream, "model_dump") else ():
        pass


async def drain_async(started: Any) -> None:
    """Await an answer, and read it to its end if it is a stream."""
    stream = await started
    if hasattr(stream, "__aiter__"):
        async for _ in stream:
            pass


def leave(stream: Any) -> None:
    """Read three chunks of a stream, then close it."""
    for n, _ in enumerate(stream):
        if n == 2:
            break
    stream.close()


def openai_calls(module: Any) -> list[Call]:
    """The calls, with the clients of `module`, which is `openai` or stands in for it."""
    options = {"base_url": f"{UPSTREAM}/v1", "api_key": KEY, "max_retries": 0}
    client, later = module.OpenAI(**options), module.AsyncOpenAI(**options)
    hasty = module.OpenAI(**options | {"timeout": TIMEOUT_S})
    patient = module.OpenAI(**options | {"max_retries": 2})
    azure = module.AzureOpenAI(azure_endpoint=UPSTREAM, api_key=KEY, api_version="2024-10-21", max_retries=0)
    return [
        *_chats(client.chat.completions),
        *_streams(client.chat.completions),
        *_others(client, azure),
        *_asynchronous(later),
        *_responses(client),
        *_failures(client, hasty, patient, later),
    ]


def _call(function: Callable[..., Any], **given: Any) -> Callable[[dict[str, str]], Any]:
    return lambda headers: drain(function(extra_headers=headers, **given))


def _later(function: Callable[..., Any], **given: Any) -> Callable[[dict[str, str]], Any]:
    return lambda headers: drain_async(function(extra_headers=headers, **given))


def _chats(chat: Any) -> list[Call]:
    ask = partial(_call, chat.create, messages=ASK)
    form = {"type": "json_schema", "json_schema": {"name": "city", "strict": True, "schema": SCHEMA}}
    return [
        ("plain", ask(model="gpt-4o")),
        ("plain", ask(model="gpt-4o-mini", temperature=0.2, max_tokens=256, seed=7)),
        ("length", ask(model="gpt-4o-mini", max_tokens=16)),
        ("tool", ask(model="gpt-4o", tools=TOOLS)),
        ("tools", ask(model="gpt-4o", tools=TOOLS, temperature=0)),
        ("json", ask(model="gpt-4o-mini", response_format={"type": "json_object"})),
        ("json", ask(model="gpt-4o", response_format=form)),
        ("refusal", ask(model="gpt-4o")),
        ("filtered", ask(model="gpt-4o")),
        ("cached", ask(model="gpt-4o")),
        ("reasoning", ask(model="o3-mini", max_completion_tokens=2000)),
        ("anonymous", ask(model="gpt-4o-mini")),
        ("plain", ask(model="gpt-4o", n=2)),
    ]


def _streams(chat: Any) -> list[Call]:
    ask = partial(_call, chat.create, messages=ASK, stream=True)
    return [
        ("plain", ask(model="gpt-4o", stream_options=USAGE)),
        ("plain", ask(model="gpt-4o-mini")),
        ("length", ask(model="gpt-4o-mini", max_tokens=16, stream_options=USAGE)),
        ("tools", ask(model="gpt-4o", tools=TOOLS, stream_options=USAGE)),
        ("reasoning", ask(model="o3-mini", stream_options=USAGE)),
        ("plain left", lambda h: leave(chat.create(model="gpt-4o", messages=ASK, stream=True, extra_headers=h))),
    ]


def _others(client: Any, azure: Any) -> list[Call]:
    embed = partial(_call, client.embeddings.create, model="text-embedding-3-small")
    ask = partial(_call, azure.chat.completions.create, model="gpt-4o", messages=ASK)
    raw = client.chat.completions.with_raw_response.create
    return [
        ("plain", embed(input="one text")),
        ("plain", embed(input=["one text", "another"], encoding_format="float")),
        ("plain", _call(client.completions.create, model="gpt-3.5-turbo-instruct", prompt="One, two,", max_tokens=64)),
        ("plain", _call(raw, model="gpt-4o", messages=ASK)),
        ("plain", ask()),
        ("plain", ask(stream=True, stream_options=USAGE)),
    ]


def _asynchronous(later: Any) -> list[Call]:
    ask = partial(_later, later.chat.completions.create, messages=ASK)
    return [
        ("plain", ask(model="gpt-4o")),
        ("plain", ask(model="gpt-4o", stream=True, stream_options=USAGE)),
        ("plain", _later(later.embeddings.create, model="text-embedding-3-small", input="one text")),
        ("plain", _later(later.responses.create, model="gpt-4o", input="What is the largest city of Peru?")),
    ]


def _responses(client: Any) -> list[Call]:
    ask = partial(_call, client.responses.create, input="What is the largest city of Peru?")
    return [
        ("plain", ask(model="gpt-4o", instructions="Be brief.")),
        ("length", ask(model="gpt-4o-mini", max_output_tokens=16)),
        ("tool", ask(model="gpt-4o", tools=FLAT_TOOLS)),
        ("reasoning", ask(model="o3-mini")),
        ("cached", ask(model="gpt-4o", stream=True)),
        ("plain 429", ask(model="gpt-4o")),
    ]


def _failures(client: Any, hasty: Any, patient: Any, later: Any) -> list[Call]:
    ask = partial(_call, client.chat.completions.create, messages=ASK)
    return [
        ("plain 429", ask(model="gpt-4o")),
        ("plain 500", ask(model="gpt-4o-mini")),
        ("plain 400", ask(model="o3-mini")),
        ("plain 401", ask(model="gpt-4o", temperature=0.5)),
        ("plain 404", ask(model="gpt-none")),
        ("plain slow", _call(hasty.chat.completions.create, model="gpt-4o", messages=ASK)),
        ("plain 429-once", _call(patient.chat.completions.create, model="gpt-4o-mini", messages=ASK)),
        ("plain 429", _call(client.embeddings.create, model="text-embedding-3-small", input="one text")),
        ("plain 429", ask(model="gpt-4o-mini", stream=True, stream_options=USAGE)),
        ("plain cut", ask(model="gpt-4o", stream=True, stream_options=USAGE)),
        ("plain broken", ask(model="gpt-4o-mini", stream=True)),
        ("plain 500", _later(later.chat.completions.create, model="gpt-4o", messages=ASK)),
    ]
