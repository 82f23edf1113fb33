"""Documents as the gateways' own references show them, with the feed applied."""

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema
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
            {
                "model": {"provider": "azure", "name": "gpt-4o", "model_alias": "main"},
                "route_type": "llm/v1/chat",
                "weight": 30,
            },
            {"model": {"provider": "openai", "name": "gpt-4o-mini"}, "route_type": "llm/v1/chat"},
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
SCHEMAS = {path.stem: json.loads(path.read_text()) for path in (Path(__file__).parent / "schemas").glob("*.json")}
WRITTEN: dict[Adapter, tuple[str, Callable[[Any], Any]]] = {
    kong.ADAPTER: ("kong", kong.patch),
    envoy.ADAPTER: ("envoy", envoy.patch),
    portkey.ADAPTER: ("portkey", lambda made: {"config": made}),
    flagd.ADAPTER: ("flagd", lambda made: made),
}
"""By adapter: the vendor's schema, and what of a document is sent."""


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


def valid(adapter: Adapter, made: Any) -> None:
    """Fails where the vendor would refuse what is sent of a document."""
    schema, sent = WRITTEN[adapter]
    jsonschema.validate(sent(made), SCHEMAS[schema])


@pytest.mark.parametrize(("adapter", "document", "told", "_expected"), CASES)
def test_what_is_sent_fits_what_the_vendor_publishes(
    adapter: Adapter, document: Any, told: Any, _expected: Any
) -> None:
    """Lowered or not, a document is one that its gateway documents; each schema names its source."""
    valid(adapter, document)
    valid(adapter, applied(adapter, document, [told], {})[0])


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


def test_a_little_is_not_nothing() -> None:
    """A multiplier too small for whole numbers leaves the least there is, also to a backend that is alone."""
    made, _ = applied(envoy.ADAPTER, ROUTE, [entry(0.001)], {})
    assert weights(envoy.ADAPTER, made) == [[1, 1], [1]]


@pytest.mark.parametrize("algorithm", ["priority", "semantic", "lowest-latency", "lowest-usage", None])
def test_kong_keeps_weights_that_are_no_shares(algorithm: str | None) -> None:
    """With `priority` a lowered weight would put a target below its spare; what was lowered before is put back."""
    told = entry(0.5, model="gpt-4o", provider="openai")
    lowered, memory = applied(kong.ADAPTER, KONG, [told], {})
    lowered["config"]["balancer"]["algorithm"] = algorithm
    made, memory = applied(kong.ADAPTER, lowered, [told], memory)
    assert (weights(kong.ADAPTER, made), memory) == ([[70, 30, 100]], {})


def test_envoys_spare_backends_are_no_siblings() -> None:
    """Weights are shares within a priority: the only backend of one is never lowered to nothing for a spare one."""
    route = deepcopy(ROUTE)
    route["spec"]["rules"][0]["backendRefs"] = [{"name": "openai"}, {"name": "spare", "namespace": "", "priority": 1}]
    made, _ = applied(envoy.ADAPTER, route, [entry(0.0, deployment="default/openai")], {})
    assert weights(envoy.ADAPTER, made) == [[1], [1], [1]]
    spare, _ = applied(envoy.ADAPTER, route, [entry(0.5, deployment="default/spare")], {})
    assert weights(envoy.ADAPTER, spare) == [[1], [50], [1]]
    valid(envoy.ADAPTER, ROUTE)


def test_flagd_has_flags_in_an_array_and_rules_that_they_share() -> None:
    """Both forms of `flags`, and `$evaluators`, whose rules are of any model."""
    rule = {"fractional": [["d0", 1], ["d1", 1]]}
    flag = {"key": "route", "state": "ENABLED", "variants": {"d0": "d0", "d1": "d1"}, "targeting": {"$ref": "split"}}
    document = {"flags": [flag, flag | {"key": "own", "targeting": rule}], "$evaluators": {"split": deepcopy(rule)}}
    made, _ = applied(flagd.ADAPTER, document, [entry(0.25, model="gpt-4o", deployment="d0")], {})
    assert weights(flagd.ADAPTER, made) == [[25, 100], [25, 100]]
    valid(flagd.ADAPTER, made)


def test_a_share_that_flagd_computes_is_left_alone() -> None:
    """A rollout whose weights are rules is the operator's; a rule in place of a variant has shares of its own."""
    inner = {"fractional": [["d0", 1], ["d1", 1]]}
    rollout = {"fractional": [["d0", {"if": [True, 1, 2]}], ["d1", 50]]}
    document = deepcopy(FLAGS)
    document["flags"]["route"]["targeting"] = {"fractional": [["d0", 10], [inner, 90]]}
    document["flags"]["shorthand"]["targeting"] = rollout
    made, _ = applied(flagd.ADAPTER, document, [entry(0.5, deployment="d0")], {})
    assert weights(flagd.ADAPTER, made) == [[5, 90], [50, 100]]
    assert made["flags"]["shorthand"]["targeting"] == rollout
    valid(flagd.ADAPTER, made)


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
    valid(kong.ADAPTER, made)
    back, _ = applied(kong.ADAPTER, made, [], memory)
    assert weights(kong.ADAPTER, back) == [own]


@given(st.lists(st.integers(0, envoy.MOST), min_size=2, max_size=2), st.lists(st.floats(0, 1), min_size=2, max_size=2))
def test_whatever_the_weights_envoy_takes_them_and_somebody_serves(own: list[int], multipliers: list[float]) -> None:
    """Whole numbers up to a million, all zero only where the operator's own are."""
    route = deepcopy(ROUTE)
    for backend, weight in zip(route["spec"]["rules"][0]["backendRefs"], own, strict=True):
        backend["weight"] = weight
    names = ("default/openai", "eu/azure")
    told = [entry(multiplier, deployment=name) for multiplier, name in zip(multipliers, names, strict=True)]
    made, memory = applied(envoy.ADAPTER, route, told, {})
    valid(envoy.ADAPTER, made)
    assert any(weights(envoy.ADAPTER, made)[0]) == any(own)
    back, _ = applied(envoy.ADAPTER, made, [], memory)
    assert weights(envoy.ADAPTER, back)[0] == own


@given(
    st.lists(st.integers(0, flagd.MOST // 2), min_size=2, max_size=2), st.lists(st.floats(0, 1), min_size=2, max_size=2)
)
def test_whatever_the_weights_flagd_can_add_them_up(own: list[int], multipliers: list[float]) -> None:
    """More than 2**31 - 1 together would send everybody to the default variant, and so would nothing."""
    document = deepcopy(FLAGS)
    shares = [[name, weight] for name, weight in zip(("d0", "x"), own, strict=True)]
    document["flags"]["shorthand"]["targeting"]["fractional"] = shares
    told = [entry(multiplier, deployment=name) for multiplier, name in zip(multipliers, ("d0", "x"), strict=True)]
    made, memory = applied(flagd.ADAPTER, document, told, {})
    valid(flagd.ADAPTER, made)
    total = sum(weights(flagd.ADAPTER, made)[1])
    assert (0 < total <= flagd.MOST) or total == sum(own)
    back, _ = applied(flagd.ADAPTER, made, [], memory)
    assert weights(flagd.ADAPTER, back)[1] == own


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
