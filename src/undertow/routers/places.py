"""Where the documents of the adapters are read and written: three HTTP APIs, and files."""

import json
import os
import ssl
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from undertow.errors import StoreError, TryAgain, UsageError
from undertow.routers import envoy, kong, portkey

TIMEOUT_S = 10.0
ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where Kubernetes puts the token and the authority for a pod."""

FIELD_MANAGER = "undertow"
CONFIG_MAP_KEY = "weights.json"


class Place(NamedTuple):
    """How one document is read, None where it was never written, and how it is written back."""

    read: Callable[[], Any]
    write: Callable[[Any], None]


def kong_plugin(url: str, plugin: str, token: str, transport: httpx.BaseTransport | None = None) -> Place:
    """A plug-in of Kong's Admin API at `url`, by its id or its name of an instance."""
    client = _client(url, {"kong-admin-token": token} if token else {}, transport, trust_env=False)
    path = f"/plugins/{plugin}"
    return Place(lambda: _got(client, path), lambda made: _write(client, "PATCH", path, json=kong.patch(made)))


def portkey_config(url: str, slug: str, key: str, transport: httpx.BaseTransport | None = None) -> Place:
    """A config of Portkey's admin API."""
    client, path = _client(url, {"x-portkey-api-key": key}, transport), f"/v1/configs/{slug}"
    return Place(
        lambda: portkey.config(_got(client, path)),
        lambda made: _write(client, "PUT", path, json={"config": made}),
    )


def envoy_route(url: str, namespace: str, name: str, token: str, transport: httpx.BaseTransport | None = None) -> Place:
    """An AIGatewayRoute of a Kubernetes API."""
    path = f"/apis/aigateway.envoyproxy.io/v1beta1/namespaces/{namespace}/aigatewayroutes/{name}"
    client = _kubernetes(url, token, transport)
    return Place(lambda: _got(client, path), lambda made: _applied(client, path, envoy.patch(made)))


def config_map(url: str, namespace: str, name: str, token: str, transport: httpx.BaseTransport | None = None) -> Place:
    """One key of a ConfigMap, which is made where it is missing."""
    path, client = f"/api/v1/namespaces/{namespace}/configmaps/{name}", _kubernetes(url, token, transport)
    head = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}}

    def read() -> Any:
        answer = _sent(client, "GET", path, or_else=(httpx.codes.NOT_FOUND,))
        found = answer.json().get("data") if answer.is_success else None
        return json.loads((found or {}).get(CONFIG_MAP_KEY, "null"))

    return Place(read, lambda made: _applied(client, path, head | {"data": {CONFIG_MAP_KEY: text(made)}}))


def file(path: Path) -> Place:
    """A file of JSON, replaced as a whole, so that a reader never sees half of it."""
    return Place(lambda: read_json(path), lambda made: write_atomically(path, text(made)))


def read_json(path: Path) -> Any:
    """What a file holds; None where there is none. Raises UsageError where it is not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:
        raise UsageError(f"{path} is not JSON") from None


def write_atomically(path: Path, content: str) -> None:
    """Write beside `path`, then rename; what stood there keeps its mode. Raises StoreError where it cannot be made."""
    try:
        handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}") from None
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        Path(beside).chmod(path.stat().st_mode & 0o777 if path.exists() else 0o644)
        Path(beside).replace(path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise


def text(document: Any) -> str:
    """As a file holds it."""
    return json.dumps(document, indent=2) + "\n"


def _client(url: str, headers: Mapping[str, str], transport: httpx.BaseTransport | None, **more: Any) -> httpx.Client:
    """For what is inside, without `trust_env`: no proxy of the environment is to see an admin token."""
    return httpx.Client(base_url=url, headers=dict(headers), timeout=TIMEOUT_S, transport=transport, **more)


def _kubernetes(url: str, token: str, transport: httpx.BaseTransport | None) -> httpx.Client:
    authority, own = ACCOUNT / "ca.crt", ACCOUNT / "token"
    verify: Any = ssl.create_default_context(cafile=str(authority)) if authority.exists() else True
    token = token or (own.read_text().strip() if own.exists() else "")
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return _client(url, headers, transport, verify=verify, trust_env=False)


def _applied(client: httpx.Client, path: str, body: Any) -> None:
    """Server-side apply; it takes the fields over from whoever had them."""
    _write(
        client,
        "PATCH",
        path,
        params={"fieldManager": FIELD_MANAGER, "force": "true"},
        content=json.dumps(body),
        headers={"content-type": "application/apply-patch+yaml"},
    )


def _got(client: httpx.Client, path: str) -> Any:
    return _sent(client, "GET", path).json()


def _write(client: httpx.Client, method: str, path: str, **more: Any) -> None:
    _sent(client, method, path, **more)


def _sent(client: httpx.Client, method: str, path: str, or_else: tuple[int, ...] = (), **more: Any) -> httpx.Response:
    """The answer, where it is good or its status one of `or_else`. Raises TryAgain with place and status, no body."""
    where = f"{method} {client.base_url.netloc.decode()}{path}"  # without a login that the address may hold
    try:
        answer = client.request(method, path, **more)
    except httpx.HTTPError as error:
        fault = "nobody answers there" if isinstance(error, httpx.ConnectError) else type(error).__name__
        raise TryAgain(f"{where}: {fault}") from None
    if not answer.is_success and answer.status_code not in or_else:
        raise TryAgain(f"{where}: HTTP {answer.status_code}")
    return answer
