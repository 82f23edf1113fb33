"""The API's own description: OpenAPI, and a page of it that needs nothing from the internet."""

from collections.abc import Iterator
from html import escape
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.responses import HTMLResponse, Response

from undertow.api import reply
from undertow.api.reply import Problem

LATER = {
    "/v1/golden": ("GET",),
}
"""Routes of the contract that have nothing to say yet."""


def routes(app: FastAPI) -> APIRouter:
    """/openapi.json, /docs, and 501 for what is not there yet."""
    router = APIRouter(include_in_schema=False)

    @router.get("/openapi.json")
    async def openapi() -> Response:
        return reply.json(app.openapi())

    @router.get("/docs")
    async def docs() -> Response:
        return HTMLResponse("".join(_page(app.openapi())))

    for path, methods in LATER.items():
        router.add_api_route(path, _later(path), methods=list(methods))
    return router


def _later(path: str) -> Any:
    async def later() -> Response:
        raise Problem(501, f"{path} is not there yet")

    return later


def _page(described: dict[str, Any]) -> Iterator[str]:
    yield "<!doctype html><html lang=en><meta charset=utf-8><title>Undertow API</title>"
    yield "<h1>Undertow API</h1><p>As <a href=openapi.json>OpenAPI</a>.</p><dl>"
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            names = ", ".join(p["name"] + ("" if p["required"] else "?") for p in operation.get("parameters", ()))
            yield f"<dt><code>{method.upper()} {escape(path)}</code><dd>{escape(operation['summary'])}"
            yield f"<br>Parameters: <code>{escape(names)}</code>" if names else ""
    yield "</dl></html>"
