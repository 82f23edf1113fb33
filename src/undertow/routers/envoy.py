"""Envoy AI Gateway: the `backendRefs` of an AIGatewayRoute, by server-side apply to the Kubernetes API.

The rules are a list that Kubernetes replaces as a whole, so that the patch carries all of them and takes them over; a
GitOps controller that applies the same route will fight it, unless it is told to leave `spec.rules` alone.
https://github.com/envoyproxy/ai-gateway/blob/v1.1.0/api/v1beta1/ai_gateway_route.go
"""

from collections.abc import Iterator
from typing import Any

from undertow.routers.feed import Deployment
from undertow.routers.scale import Adapter, Slot

GATEWAY = "envoy-ai-gateway"
MODEL_HEADER = "x-ai-eg-model"
MOST = 1_000_000
"""Of the HTTPRoute that is generated from the route, which takes less than the route itself."""


def groups(route: dict[str, Any]) -> Iterator[list[Slot]]:
    """The backends of each rule that share a priority, between which weights are shares.

    The feed calls a backend `namespace/name`, and its models are those that the rule matches.
    """
    namespace = route["metadata"].get("namespace", "default")
    for number, rule in enumerate(route["spec"]["rules"]):
        models = _models(rule) or [None]
        tiers: dict[int, list[Slot]] = {}
        for n, backend in enumerate(rule.get("backendRefs") or ()):
            slot = _slot(f"{number} {n}", backend, namespace, models)
            tiers.setdefault(backend.get("priority") or 0, []).append(slot)
        yield from tiers.values()


def patch(route: dict[str, Any]) -> dict[str, Any]:
    """The body of the server-side apply."""
    named = {name: route["metadata"][name] for name in ("name", "namespace") if name in route["metadata"]}
    head = {"apiVersion": route["apiVersion"], "kind": route["kind"], "metadata": named}
    return head | {"spec": {"rules": route["spec"]["rules"]}}


def _slot(number: str, backend: dict[str, Any], namespace: str, models: list[Any]) -> Slot:
    name = f"{backend.get('namespace') or namespace}/{backend['name']}"
    return Slot(f"{number} {name}", tuple(Deployment(GATEWAY, None, m, name) for m in models), backend, "weight")


def _models(rule: dict[str, Any]) -> list[Any]:
    headers = (header for match in rule.get("matches") or () for header in match.get("headers") or ())
    return [header["value"] for header in headers if header.get("name", "").lower() == MODEL_HEADER]


ADAPTER = Adapter(groups, most=MOST)
