"""Documents as the gateways' own references show them, with the feed applied."""

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.routers import envoy, flagd, kong, portkey
from undertow.routers.scale import Adapter, applied

KONG: dict[str, Any] = {
    "id": "b8f5",
    "name": "ai-proxy-advanced",
    "config": {
        "balancer": {"algorithm": "round-robin"},
        "targets": [
            {"model": {"provider": "openai", "name": "gpt-4o"}, "route_type": "llm/v1/chat", "weight": 70},
            {"model": {"provider": "azure", "name": "gpt-4o", "model_alias": "main"}, "weight": 30},
            {"model": {"provider": "openai", "name": "gpt-4o-mini"}},
        ],
    },
}
ROUTE: dict[str, Any] = {
    "apiVersion": "aigateway.envoyproxy.io/v1beta1",
    "kind": "AIGatewayRoute",
    "metadata": {"name": "llm", "namespace": "default", "resourceVersion": "7", "managedFields": []},
    "spec": {
        "parentRefs": [{"name": "gw"}],
        "rules": [
            {
                "matches": [{"headers": [{"type": "Exact", "name": "x-ai-eg-model", "value": "gpt-4o"}]}],
                "backendRefs": [{"name": "openai", "weight": 1}, {"name": "azure", "namespace": "eu"}],
            },
            {
                "matches": [{"headers": [{"type": "Exact", "name": "x-ai-eg-model", "value": "claude"}]}],
                "backendRefs": [{"name": "openai"}],
            },
        ],
    },
    "status": {"conditions": []},
}
CONFIG: dict[str, Any] = {
    "strategy": {"mode": "fallback"},
    "targets": [
        {
            "strategy": {"mode": "loadbalance"},
            "targets": [
                {"virtual_key": "openai-key", "weight": 0.75},
                {"provider": "@azure-prod", "override_params": {"model": "gpt-4o"}, "weight": 0.25},
            ],
        },
        {"virtual_key": "spare"},
    ],
}
FLAGS: dict[str, Any] = {
    "$schema": "https://flagd.dev/schema/v0/flags.json",
    "flags": {
        "route": {
            "state": "ENABLED",
            "variants": {"d0": "d0", "d1": "d1"},
            "defaultVariant": "d0",
            "metadata": {"model": "gpt-4o"},
            "targeting": {
                "if": [
                    {"==": [{"var": "tier"}, "trial"]},
                    "d1",
                    {"fractional": [{"cat": [{"var": "$flagd.flagKey"}, {"var": "user"}]}, ["d0", 50], ["d1", 50]]},
                ]
            },
        },
        "shorthand": {
            "state": "ENABLED",
            "variants": {"d0": "d0", "x": "x"},
            "defaultVariant": "x",
            "targeting": {"fractional": [["d0"], ["x"]]},
        },
        "plain": {"state": "ENABLED", "variants": {"on": True}, "defaultVariant": "on"},
    },
}


def entry(multiplier: float, **target: Any) -> dict[str, Any]:
    """Of the feed; what is not named is null."""
    names = dict.fromkeys(("gateway", "provider", "model", "deployment"))
    return {"target": names | target, "multiplier": multiplier, "expires_at": None}


CASES: list[tuple[Adapter, dict[str, Any], dict[str, Any], list[list[float]]]] = [
    (kong.ADAPTER, KONG, entry(0.5, gateway="kong", provider="openai", model="gpt-4o"), [[35, 30, 100]]),
    (kong.ADAPTER, KONG, entry(0.25, gateway="kong", provider="azure", model="main"), [[7000, 750, 10000]]),
    (kong.ADAPTER, KONG, entry(0.0, provider="openai", model="gpt-4o-mini"), [[7000, 3000, 1]]),
    (envoy.ADAPTER, ROUTE, entry(0.25, model="gpt-4o", deployment="default/openai"), [[25, 100], [1]]),
    (envoy.ADAPTER, ROUTE, entry(0.0, model="gpt-4o", deployment="eu/azure"), [[1, 0], [1]]),
    (envoy.ADAPTER, ROUTE, entry(0.25, model="claude", deployment="default/openai"), [[1, 1], [25]]),
    (portkey.ADAPTER, CONFIG, entry(0.5, gateway="portkey", deployment="openai-key"), [[0.375, 0.25]]),
    (portkey.ADAPTER, CONFIG, entry(0.2, model="gpt-4o", deployment="azure-prod"), [[0.75, 0.05]]),
    (flagd.ADAPTER, FLAGS, entry(0.05, model="gpt-4o", deployment="d0"), [[250, 5000], [5, 100]]),
    (flagd.ADAPTER, FLAGS, entry(0.05, model="gpt-4o-mini", deployment="d0"), [[50, 50], [5, 100]]),
]


def weights(adapter: Adapter, document: Any) -> list[list[float]]:
    """What stands in each group."""
    return [[slot.weight for slot in group] for group in adapter.groups(deepcopy(document))]


@pytest.mark.parametrize(("adapter", "document", "told", "expected"), CASES)
def test_the_operators_weights_are_scaled_and_come_back(
    adapter: Adapter, document: Any, told: Any, expected: list[list[float]]
) -> None:
    """Whole numbers where the gateway needs them, nothing else touched, and exactly what was there afterwards."""
    before = deepcopy(document)
    made, memory = applied(adapter, document, [told], {})
    assert weights(adapter, made) == [[pytest.approx(one) for one in group] for group in expected]
    assert document == before
    again, kept = applied(adapter, made, [told], memory)
    assert (again, kept) == (made, memory)
    back, nothing = applied(adapter, made, [], memory)
    assert (weights(adapter, back), nothing) == (weights(adapter, document), {})


@pytest.mark.parametrize(
    ("adapter", "document"), [(kong.ADAPTER, KONG), (envoy.ADAPTER, ROUTE), (portkey.ADAPTER, CONFIG)]
)
def test_what_the_feed_does_not_name_stays(adapter: Adapter, document: Any) -> None:
    """A document without news is written back as it is, usual weights included."""
    assert applied(adapter, document, [entry(0.5, model="another", deployment="another")], {}) == (document, {})


def test_a_group_is_never_emptied() -> None:
    """Where every weight would be zero the operator's own ones hold."""
    told = [entry(0.0, deployment=name) for name in ("default/openai", "eu/azure")]
    made, _ = applied(envoy.ADAPTER, ROUTE, told, {})
    assert weights(envoy.ADAPTER, made) == [[1, 1], [1]]


def test_a_weight_that_somebody_changed_is_the_operators_new_own() -> None:
    """What was written is recognised, anything else is believed."""
    told = entry(0.5, model="gpt-4o", provider="openai")
    made, memory = applied(kong.ADAPTER, KONG, [told], {})
    made["config"]["targets"][0]["weight"] = 90
    again, memory = applied(kong.ADAPTER, made, [told], memory)
    assert again["config"]["targets"][0]["weight"] == 45
    back, _ = applied(kong.ADAPTER, again, [], memory)
    assert back["config"]["targets"][0]["weight"] == 90


@given(st.lists(st.integers(1, 65_535), min_size=3, max_size=3), st.lists(st.floats(0, 1), min_size=3, max_size=3))
def test_whatever_the_weights_kong_takes_them_and_gets_them_back(own: list[int], multipliers: list[float]) -> None:
    """Whole numbers from 1 to 65535, in about the proportion that was asked for."""
    plugin = deepcopy(KONG)
    for target, weight in zip(plugin["config"]["targets"], own, strict=True):
        target["weight"] = weight
    names = ({"provider": "openai", "model": "gpt-4o"}, {"provider": "azure"}, {"model": "gpt-4o-mini"})
    told = [entry(multiplier, **name) for multiplier, name in zip(multipliers, names, strict=True)]
    made, memory = applied(kong.ADAPTER, plugin, told, {})
    assert all(isinstance(one, int) and 1 <= one <= 65_535 for [*group] in weights(kong.ADAPTER, made) for one in group)
    back, _ = applied(kong.ADAPTER, made, [], memory)
    assert weights(kong.ADAPTER, back) == [own]


def test_patches_carry_what_the_gateway_needs_and_no_more() -> None:
    """Kong's array of targets as a whole; Kubernetes' names and rules, without status and managed fields."""
    assert kong.patch(KONG) == {"config": {"targets": KONG["config"]["targets"]}}
    assert envoy.patch(ROUTE) == {
        "apiVersion": "aigateway.envoyproxy.io/v1beta1",
        "kind": "AIGatewayRoute",
        "metadata": {"name": "llm", "namespace": "default"},
        "spec": {"rules": ROUTE["spec"]["rules"]},
    }


@pytest.mark.parametrize("answer", [{"data": {"config": json.dumps(CONFIG)}}, {"config": CONFIG}])
def test_a_portkey_config_is_read_in_either_form(answer: dict[str, Any]) -> None:
    """As an object, or as text of one."""
    assert portkey.config(answer) == CONFIG
