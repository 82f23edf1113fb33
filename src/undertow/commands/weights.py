"""`undertow weights sync`: the weights feed into the configuration of a gateway that has no plug-in for it."""

import argparse
import os
from collections.abc import Callable
from pathlib import Path

import httpx

from undertow import logs
from undertow.errors import UsageError
from undertow.routers import envoy, flagd, kong, places, portkey
from undertow.routers.places import Place
from undertow.routers.sync import Sync, Transform, entries, scaling

EXAMPLE = "undertow weights sync kong ai-proxy-advanced-main --gateway http://127.0.0.1:8001"

TOKEN_VARIABLE = "UNDERTOW_API_TOKEN"  # noqa: S105  the name of a variable, not a token
GATEWAY_VARIABLE = "UNDERTOW_GATEWAY_TOKEN"
IN_CLUSTER = "https://kubernetes.default.svc"

Made = tuple[Place, Transform]


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("action", choices=("sync",), help="carry the feed into a gateway, until interrupted")
    parser.add_argument("kind", choices=tuple(KINDS), help="what is written")
    parser.add_argument(
        "name", help="kong: id of the plug-in; envoy, configmap: NAMESPACE/NAME; portkey: slug; file, flagd: path"
    )
    parser.add_argument("--api", metavar="URL", default="http://127.0.0.1:8321", help="the monitor (%(default)s)")
    parser.add_argument(
        "--gateway", metavar="URL", default="", help=f"the gateway's API; its token is in {GATEWAY_VARIABLE}"
    )
    parser.add_argument("--state", metavar="FILE", type=Path, help="own weights between rounds (./weights-KIND.json)")
    parser.add_argument("--every", metavar="SECONDS", type=float, default=5.0, help="between rounds (%(default)s)")
    parser.add_argument("--once", action="store_true", help="one round, for cron: 75 where it has to be tried again")
    parser.add_argument("--dry-run", action="store_true", help="one round that writes nothing: 1 where it would")


def run(args: argparse.Namespace) -> int:
    """Follow the feed."""
    logs.configure("text")
    if not args.every >= 1:
        raise UsageError("--every: at least 1 second")
    _check_address("--api", args.api)
    if args.gateway:
        _check_address("--gateway", args.gateway)
    place, transform = KINDS[args.kind](args, _token(GATEWAY_VARIABLE))
    client = _monitor(args.api, _token(TOKEN_VARIABLE))
    state = args.state or Path(f"weights-{args.kind}.json")
    with client:
        sync = Sync(client, place, transform, state, args.dry_run)
        if args.dry_run:
            return int(sync.step())
        if args.once:
            sync.step()
            return 0
        sync.run(args.every)
    return 0


def _check_address(option: str, url: str) -> None:
    """Raise UsageError for what is no address; it is not repeated, since it may hold a password."""
    try:
        usable = httpx.URL(url).scheme in ("http", "https") and bool(httpx.URL(url).host)
    except httpx.InvalidURL:
        usable = False
    if not usable:
        raise UsageError(f"{option}: expected an address such as http://127.0.0.1:8321")


def _token(variable: str) -> str:
    token = os.environ.get(variable, "")
    if not token.isascii():
        raise UsageError(f"{variable}: a token is made of ASCII characters")
    return token


def _monitor(url: str, token: str) -> httpx.Client:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return httpx.Client(base_url=url, headers=headers, timeout=places.TIMEOUT_S, trust_env=False)


def _kong(args: argparse.Namespace, token: str) -> Made:
    url = args.gateway or "http://127.0.0.1:8001"
    return places.kong_plugin(url, args.name, token), scaling(kong.ADAPTER)


def _envoy(args: argparse.Namespace, token: str) -> Made:
    return places.envoy_route(args.gateway or IN_CLUSTER, *_namespaced(args.name), token), scaling(envoy.ADAPTER)


def _portkey(args: argparse.Namespace, token: str) -> Made:
    url = args.gateway or "https://api.portkey.ai"
    return places.portkey_config(url, args.name, token), scaling(portkey.ADAPTER)


def _config_map(args: argparse.Namespace, token: str) -> Made:
    return places.config_map(args.gateway or IN_CLUSTER, *_namespaced(args.name), token), entries


def _file(args: argparse.Namespace, _: str) -> Made:
    return places.file(Path(args.name)), entries


def _flagd(args: argparse.Namespace, _: str) -> Made:
    path = Path(args.name)
    if not path.exists():
        raise UsageError(f"{path} is not there: name the file of your flag definitions")
    return places.file(path), scaling(flagd.ADAPTER)


def _namespaced(name: str) -> tuple[str, str]:
    namespace, slash, rest = name.partition("/")
    if not (namespace and slash and rest) or "/" in rest:
        raise UsageError(f"expected NAMESPACE/NAME, got {name!r}")
    return namespace, rest


KINDS: dict[str, Callable[[argparse.Namespace, str], Made]] = {
    "kong": _kong,
    "envoy": _envoy,
    "portkey": _portkey,
    "file": _file,
    "configmap": _config_map,
    "flagd": _flagd,
}
