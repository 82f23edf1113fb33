"""The plug-in beside a stand-in for LiteLLM; tests/e2e/test_litellm_weights.py runs it in the real one."""

import asyncio
import importlib
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from types import ModuleType
from typing import Any

import httpx
import pytest
from tests.routers.test_router_feed import feed

Plugin = Any
WEIGHTS = {"d0": 0.2}


@pytest.fixture(name="plugin")
def _plugin(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The module, with a LiteLLM that has just what it imports."""
    custom_logger = ModuleType("litellm.integrations.custom_logger")
    custom_logger.CustomLogger = type("CustomLogger", (), {})  # type: ignore[attr-defined]
    for module in (ModuleType("litellm"), ModuleType("litellm.integrations"), custom_logger):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    name = "undertow.routers.litellm"
    monkeypatch.delitem(sys.modules, name, raising=False)
    yield importlib.import_module(name)
    sys.modules.pop(name, None)


def deployments(**params: Any) -> list[dict[str, Any]]:
    """Two of one group; each of `params` gives both their values of it."""
    return [
        {
            "model_name": "gpt-4o",
            "litellm_params": {"model": "openai/gpt-4o"} | {name: values[n] for name, values in params.items()},
            "model_info": {"id": f"d{n}"},
        }
        for n in range(2)
    ]


@pytest.fixture(name="filtered")
def _filtered(plugin: Plugin, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    def filtered(answers: list[httpx.Response | Exception], given: list[dict[str, Any]]) -> Any:
        """What becomes of `given` once each answer was had, and the requests that were made."""
        asked: list[httpx.Request] = []

        def answer(request: httpx.Request) -> httpx.Response:
            asked.append(request)
            if len(asked) > len(answers):
                raise httpx.ConnectError("away")
            found = answers[len(asked) - 1]
            if isinstance(found, Exception):
                raise found
            return found

        client = httpx.AsyncClient
        transport = httpx.MockTransport(answer)
        monkeypatch.setattr(plugin.httpx, "AsyncClient", lambda **more: client(transport=transport, **more))
        monkeypatch.setattr(plugin, "POLL_S", 0.001)

        async def run() -> Any:
            weights = plugin.UndertowWeights({"UNDERTOW_ROUTER__URL": "http://u/", "UNDERTOW_ROUTER__TOKEN": "t"})
            await weights.async_filter_deployments("gpt-4o", given)
            async with asyncio.timeout(10):
                while len(asked) <= len(answers):
                    await asyncio.sleep(0.001)
            found = await weights.async_filter_deployments("gpt-4o", given)
            weights._polling.cancel()
            return found, asked

        return asyncio.run(run())

    return filtered


def own(found: list[dict[str, Any]]) -> list[Any]:
    """The weights that LiteLLM would route by."""
    return [one["litellm_params"].get("weight") for one in found]


def ok(document: Any) -> httpx.Response:
    """A 200."""
    return httpx.Response(200, json=document, headers={"etag": '"1"'})


@pytest.mark.parametrize(
    ("params", "weights"),
    [
        ({}, [0.2, 1.0]),
        ({"weight": [3, 1]}, [pytest.approx(0.6), 1.0]),
        ({"weight": [None, 2]}, [0.0, 2.0]),
        ({"rpm": [100, 300], "tpm": [1, 1]}, [20.0, 300.0]),
        ({"tpm": [1000, 1000]}, [200.0, 1000.0]),
    ],
)
def test_the_multiplier_scales_the_operators_own_weight(
    filtered: Callable[..., Any], params: dict[str, Any], weights: list[Any]
) -> None:
    """Of the kind that simple-shuffle would use; what LiteLLM keeps of its deployments is not touched."""
    given = deployments(**params)
    before = [dict(one["litellm_params"]) for one in given]
    found, asked = filtered([ok(feed())], given)
    assert own(found) == weights
    assert [one["litellm_params"] for one in given] == before
    assert (str(asked[0].url), asked[0].headers["authorization"]) == ("http://u/v1/weights", "Bearer t")


def test_it_asks_with_the_etag_that_it_has(filtered: Callable[..., Any]) -> None:
    """And goes on believing the feed after a 304, or when Undertow went away just now."""
    found, asked = filtered([ok(feed()), httpx.Response(304)], deployments())
    assert "if-none-match" not in asked[0].headers
    assert asked[1].headers["if-none-match"] == '"1"'
    assert own(found) == [0.2, 1.0]


@pytest.mark.parametrize(
    "answer",
    [
        ok(feed(mode="advisory")),
        ok(feed(model="another")),
        ok(feed(multiplier=1.0)),
        ok({"weights": "?"}),
        ok(feed() | {"expires_at": 1000.0}),
        httpx.Response(200, content=b"<html>"),
        httpx.Response(200, content=b"[" * 100_000),
        httpx.Response(200, content=b" " * 9_000_000),
        httpx.Response(500),
        httpx.Response(401),
        httpx.ConnectError("away"),
    ],
)
def test_it_fails_open(filtered: Callable[..., Any], answer: Any) -> None:
    """Where nothing is to be obeyed, LiteLLM's own list goes on as it is, the very same."""
    given = deployments()
    found, _ = filtered([answer], given)
    assert found is given


def test_what_keeps_the_feed_away_is_said_once(filtered: Callable[..., Any], caplog: pytest.LogCaptureFixture) -> None:
    """A token that is refused moves no weight for ever, which nobody would see; a word each second helps nobody."""
    answers = [httpx.Response(status) for status in (401, 500, 401, 500)]
    filtered([*answers, ok(feed()), ok(feed()), httpx.Response(401)], deployments())
    said = [record.getMessage().removeprefix("no weights: ") for record in caplog.records]
    assert said[:4] == ["HTTP 401", "HTTP 500", "weights are followed again", "HTTP 401"]


def test_a_feed_that_drips_is_not_waited_for(
    filtered: Callable[..., Any], plugin: Plugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A byte now and then renews the timeout of each read, and not the deadline of the poll."""

    class Drips(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            while True:
                await asyncio.sleep(0.001)
                yield b" "

    monkeypatch.setattr(plugin, "DEADLINE_S", 0.05)
    found, _ = filtered([httpx.Response(200, stream=Drips()), ok(feed())], deployments())
    assert own(found) == [0.2, 1.0]


def test_a_token_that_no_header_can_hold_keeps_the_proxy_from_starting(plugin: Plugin) -> None:
    """As one that cannot be read does: nothing would ever be obeyed."""
    with pytest.raises(ValueError, match="ASCII"):
        plugin.UndertowWeights({"UNDERTOW_ROUTER__TOKEN": "t\u00f6ken"})


def test_it_never_empties_a_group(filtered: Callable[..., Any]) -> None:
    """Where all that is left would have no weight, the list goes on as it is."""
    given = deployments()[:1]
    found, _ = filtered([ok(feed(multiplier=0.0))], given)
    assert found is given


def test_what_it_does_not_understand_is_served(filtered: Callable[..., Any]) -> None:
    """A deployment of another shape than LiteLLM's is no reason to fail a request."""
    given: list[Any] = [{"model_name": "gpt-4o"}]
    found, _ = filtered([ok(feed())], given)
    assert found is given
