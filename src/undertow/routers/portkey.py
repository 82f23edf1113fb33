"""Portkey: the targets of a config that balances load, pushed as a new version of the config.

`GET /v1/configs/{slug}` and `PUT /v1/configs/{slug}` of the admin API. A target is known by its virtual key or its
provider, which is what Portkey's log calls the deployment.
"""

import json
from collections.abc import Iterator
from typing import Any

from undertow.routers.feed import Deployment
from undertow.routers.scale import Adapter, Slot

GATEWAY = "portkey"


def config(answer: dict[str, Any]) -> dict[str, Any]:
    """The config in an answer of the API, which has it as an object or as text of one."""
    found = answer.get("data", answer)["config"]
    read: dict[str, Any] = json.loads(found) if isinstance(found, str) else found
    return read


def groups(config: dict[str, Any], path: str = "") -> Iterator[list[Slot]]:
    """The targets of each strategy that balances load, nested ones too."""
    targets = config.get("targets") or ()
    if (config.get("strategy") or {}).get("mode") == "loadbalance":
        yield [_slot(f"{path}{n}", target) for n, target in enumerate(targets)]
    for number, target in enumerate(targets):
        yield from groups(target, f"{path}{number}.")


def _slot(path: str, target: dict[str, Any]) -> Slot:
    found = (target.get("virtual_key"), (target.get("provider") or "").removeprefix("@"), target.get("name"))
    names = [name for name in found if name] or [""]  # a group inside a group has none, and keeps its weight
    return Slot(f"{path} {names[0]}", tuple(Deployment(GATEWAY, None, None, name) for name in names), target, "weight")


ADAPTER = Adapter(groups)
