"""Records what LiteLLM tells of a llama.cpp server: `python -m tests.litellm.llama URL`, where one listens.

The fixture was made with `python -m llama_cpp.server` of llama-cpp-python 0.3.36, on the library of llama.cpp's build
b11739 (out of the wheel llama-cpp-py-sync 0.11739), and with the model of `tiny_model.py`, called `tiny-llama`. Between
the two stands a witness, which writes down what the server answered.
"""

import json
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route
from tests.litellm.inbox import Inbox
from tests.litellm.proxy import KEY, proxy
from tests.litellm.record import FIXTURES, OTEL, QUIET_S, SHIPPED, V2, _pinned, _write
from tests.litellm.traffic import TOOL, USAGE, Ask, ask_all
from tests.litellm.upstream import serving

FOLDER = FIXTURES / "llama-cpp-python-0.3.36-litellm"
PARAMS = {"model": "openai/tiny-llama", "api_key": "none"}
"""What LiteLLM is told of the server, as docs/shipping.md says."""

SHORT = {"max_tokens": 12, "temperature": 0}
CHOICE = {"type": "function", "function": {"name": "weather"}}
ASKS = [
    Ask(0, "llama", options=SHORT),
    Ask(1, "llama", options=SHORT | {"stream": True}),
    Ask(2, "llama", options=SHORT | {"stream": True, "stream_options": USAGE}),
    Ask(3, "llama", options=SHORT | {"tools": [TOOL], "tool_choice": CHOICE}),
    Ask(4, "llama", words="river " * 400),
    Ask(5, "llama", options={"max_tokens": 200, "stream": True}, gone=True),
]
"""Short answers, a call of a tool, a prompt that does not fit, and a client that hangs up."""


class Witness:
    """Passes requests on, and keeps what came back."""

    def __init__(self, server: str) -> None:
        self.log: list[dict[str, Any]] = []
        self._server = server
        self.app = Starlette(routes=[Route("/{path:path}", self._pass, methods=["POST"])])

    async def _pass(self, request: Request) -> StreamingResponse:
        body = await request.body()
        client = httpx.AsyncClient(base_url=self._server, timeout=120)
        headers = {"content-type": "application/json"}
        sent = client.build_request("POST", request.url.path, content=body, headers=headers)
        response = await client.send(sent, stream=True)

        async def chunks() -> AsyncIterator[bytes]:
            kept = b""
            try:
                async for chunk in response.aiter_bytes():
                    kept += chunk
                    yield chunk
            finally:
                self.log.append({"asked": json.loads(body), "status": response.status_code, "answer": kept.decode()})

        return StreamingResponse(chunks(), response.status_code, media_type=response.headers["content-type"])


def main() -> None:
    """Ask, and write the folder."""
    witness, inbox = Witness(sys.argv[1]), Inbox()
    with tempfile.TemporaryDirectory() as scratch, serving(witness.app) as url, serving(inbox.app) as inbox_url:
        kept = Path(scratch) / "kept.jsonl"
        environ = {name: value.replace("{inbox}", inbox_url) for name, value in (OTEL | V2).items()}
        shutil.copy(Path(__file__).with_name("shipped.py"), scratch)
        params = PARAMS | {"api_base": f"{url}/v1", "max_retries": 0}
        configured = {
            "model_list": [{"model_name": "llama", "litellm_params": params}],
            "router_settings": {"num_retries": 0, "disable_cooldowns": True},
            "general_settings": {"master_key": KEY},
        }
        logging = f"litellm_settings:\n  callbacks: [{SHIPPED}, otel]\n"
        with proxy(Path(scratch), configured, logging, environ | {"KEEPER": str(kept)}, _pinned("newer")) as gateway:
            for ask in ASKS:  # the server answers one at a time
                ask_all(gateway, [ask])
            time.sleep(QUIET_S)
        records = kept.read_bytes()
    _write(FOLDER, witness, inbox, records)


if __name__ == "__main__":
    main()
