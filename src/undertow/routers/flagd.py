"""OpenFeature's flagd: flags that share requests out by `fractional` targeting, in a file of flag definitions.

A variant is a deployment by its name, of any model, or of the one that the flag's metadata names as `model`.
"""

from collections.abc import Iterator
from typing import Any

from undertow.routers.feed import Deployment
from undertow.routers.scale import Adapter, Slot

MOST = 2**31 - 1


def groups(document: dict[str, Any]) -> Iterator[list[Slot]]:
    """The shares of each `fractional` rule of each flag, wherever the rule stands."""
    for key, flag in document["flags"].items():
        model = (flag.get("metadata") or {}).get("model")
        for number, shares in enumerate(_fractional(flag.get("targeting"))):
            yield [_slot(f"{key} {number} {share[0]}", share, model) for share in shares]


def _fractional(rule: Any) -> Iterator[list[list[Any]]]:
    inner = rule.values() if isinstance(rule, dict) else rule if isinstance(rule, list) else ()
    if isinstance(rule, dict) and isinstance(rule.get("fractional"), list):
        yield [one for one in rule["fractional"] if isinstance(one, list) and one and isinstance(one[0], str)]
    for one in inner:
        yield from _fractional(one)


def _slot(key: str, share: list[Any], model: str | None) -> Slot:
    if len(share) == 1:  # shorthand for a weight of 1
        share.append(1)
    return Slot(key, (Deployment(None, None, model, share[0]),), share, 1)


ADAPTER = Adapter(groups, most=MOST)
