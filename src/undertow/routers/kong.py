"""Kong: the targets of the plug-in `ai-proxy-advanced`, by the Admin API.

`GET /plugins/{id}` gives the document; `PATCH /plugins/{id}` takes the whole array of targets. A weight is a share only
with some of `balancer.algorithm`; with `priority` equal weights make a tier, so that lowering one would take the target
out of its tier. A target is known by provider and by model, its alias or its name, since Kong's log says no more of it;
two of one model cannot be told apart and keep their proportion.
https://developer.konghq.com/ai-gateway/load-balancing/
"""

from collections.abc import Iterator
from typing import Any

from undertow.routers.feed import Deployment
from undertow.routers.scale import Adapter, Slot

USUAL = 100
USUAL_ALGORITHM = "round-robin"
SHARING = (USUAL_ALGORITHM, "least-connections", "consistent-hashing")
"""Algorithms by which a target's weight is its share."""


def groups(plugin: dict[str, Any]) -> Iterator[list[Slot]]:
    """The targets of one plug-in are one group."""
    config = plugin["config"]
    sharing = (config.get("balancer") or {}).get("algorithm", USUAL_ALGORITHM) in SHARING
    yield [_slot(n, target, sharing) for n, target in enumerate(config.get("targets") or ())]


def patch(plugin: dict[str, Any]) -> dict[str, Any]:
    """The body of the PATCH."""
    return {"config": {"targets": plugin["config"]["targets"]}}


def _slot(number: int, target: dict[str, Any], sharing: bool) -> Slot:
    model = target.get("model") or {}
    provider = model.get("provider")
    names = dict.fromkeys(filter(None, (model.get("model_alias"), model.get("name"))))
    known = tuple(Deployment("kong", provider, name) for name in names) or (Deployment("kong", provider, None),)
    key = f"{number} {provider} {model.get('name')}"
    return Slot(key, known if sharing else (), target, "weight", USUAL)


ADAPTER = Adapter(groups, least=1, most=65_535)
