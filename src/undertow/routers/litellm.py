"""LiteLLM's router follows Undertow's weights: a callback that scales the weights of a group's deployments.

Name it in the proxy's configuration: `litellm_settings: {callbacks: [undertow.routers.litellm.weights]}`. Settings are
the environment variables `UNDERTOW_ROUTER__URL`, `..__TOKEN` or `..__TOKEN_FILE`, and `..__GATEWAY`. It works with the
routing strategy `simple-shuffle`, LiteLLM's default, and needs what LiteLLM brings, no more.

It fails open: where the feed is stale, away or not understood, every deployment has its own weight. A request waits for
nothing of this; the feed is polled beside it.
"""

import asyncio
import logging
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
from litellm.integrations.custom_logger import CustomLogger

from undertow.routers.feed import LIMIT_BYTES, Deployment, Followed, of, read

POLL_S = 1.0
DEADLINE_S = 5.0
"""Of one poll as a whole; a feed that drips would else be waited for until it ends."""
OWN = ("weight", "rpm", "tpm")
"""Where simple-shuffle finds a deployment's own weight, in this order; without any they are equal."""

_log = logging.getLogger(__name__)


class UndertowWeights(CustomLogger):  # type: ignore[misc]  # litellm is not in this environment
    """Deployments with their weights scaled, for each request that is routed."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        """Raises OSError or ValueError where there is no such token, which keeps the proxy from starting."""
        super().__init__()
        settings = {name: environ.get(f"UNDERTOW_ROUTER__{name}", "") for name in ("URL", "TOKEN", "TOKEN_FILE")}
        token = settings["TOKEN"] or (settings["TOKEN_FILE"] and Path(settings["TOKEN_FILE"]).read_text().strip())
        if not token.isascii():
            raise ValueError("UNDERTOW_ROUTER__TOKEN: a token is made of ASCII characters")
        self._url = (settings["URL"] or "http://127.0.0.1:8321").rstrip("/") + "/v1/weights"
        self._headers = {"authorization": f"Bearer {token}"} if token else {}
        self._gateway = environ.get("UNDERTOW_ROUTER__GATEWAY", "litellm")
        self._followed = Followed()
        self._troubles: set[str] = set()
        self._polling: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def async_filter_deployments(
        self,
        model: str,
        healthy_deployments: Sequence[dict[str, Any]],
        messages: Any = None,
        request_kwargs: Any = None,
        parent_otel_span: Any = None,
    ) -> Sequence[dict[str, Any]]:
        """All of them, the weights of those that the feed speaks of scaled; as they are where none would be left."""
        try:
            self._follow()
            return self._scaled(healthy_deployments)
        except Exception:  # noqa: BLE001  the request must be served
            _log.exception("weights are not applied")
            return healthy_deployments

    def _scaled(self, deployments: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
        weights = self._followed.weights(time.monotonic())
        found = [of(self._named(one), weights) for one in deployments] if weights else []
        own = own_weights([one["litellm_params"] for one in deployments]) if weights else []
        scaled = [weight * multiplier for weight, multiplier in zip(own, found, strict=True)]
        if not any(scaled) or all(multiplier == 1 for multiplier in found):
            return deployments
        return [
            {**one, "litellm_params": {**one["litellm_params"], "weight": weight}}
            for one, weight in zip(deployments, scaled, strict=True)
        ]

    def _named(self, deployment: Mapping[str, Any]) -> Deployment:
        return Deployment(self._gateway, None, deployment["model_name"], deployment["model_info"]["id"])

    def _follow(self) -> None:
        """Poll in the loop that serves requests, from the first one on."""
        loop = asyncio.get_running_loop()
        if self._polling is None or self._polling.done() or self._loop is not loop:
            self._loop, self._polling = loop, loop.create_task(self._poll())

    async def _poll(self) -> None:
        async with httpx.AsyncClient(headers=self._headers, timeout=POLL_S, trust_env=False) as client:
            while True:
                try:
                    async with asyncio.timeout(DEADLINE_S):
                        self._say(await self._ask(client))
                except Exception as error:  # noqa: BLE001  it fails open by its age
                    self._say(type(error).__name__)
                await asyncio.sleep(POLL_S)

    async def _ask(self, client: httpx.AsyncClient) -> str:
        """Take an answer in; what is wrong with it, empty where nothing is."""
        known = self._followed.etag
        async with client.stream("GET", self._url, headers={"if-none-match": known} if known else {}) as answer:
            if answer.status_code == httpx.codes.NOT_MODIFIED:
                self._followed.renew(time.monotonic())
            elif answer.status_code == httpx.codes.OK:
                body = await _body(answer)
                self._followed.take(read(body), answer.headers.get("etag"), time.monotonic())
            else:
                return f"HTTP {answer.status_code}"
        return ""

    def _say(self, trouble: str) -> None:
        """Each kind of trouble once, and once that it is over."""
        if trouble and trouble not in self._troubles:
            self._troubles.add(trouble)
            _log.warning("no weights: %s", trouble)
        elif self._troubles and not trouble:
            self._troubles.clear()
            _log.warning("weights are followed again")


async def _body(answer: httpx.Response) -> bytearray:
    """What was sent. Raises ValueError where it is too long for a feed."""
    body = bytearray()
    async for part in answer.aiter_bytes():
        body += part
        if len(body) > LIMIT_BYTES:
            raise ValueError("no weights feed")
    return body


def own_weights(params: Sequence[Mapping[str, Any]]) -> list[float]:
    """What simple-shuffle would weigh deployments by, given their `litellm_params`."""
    for metric in OWN:
        found = [float(one.get(metric) or 0) for one in params]
        if any(found):
            return found
    return [1.0] * len(params)


weights = UndertowWeights()
"""What the proxy's configuration names."""
