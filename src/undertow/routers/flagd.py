"""OpenFeature's flagd: flags that share requests out by `fractional` targeting, in a file of flag definitions.

A variant is a deployment by its name, of any model, or of the one that the flag's metadata names as `model`. Flags are
an object, or an array of flags with a `key`; rules that flags refer to stand in `$evaluators`.
https://github.com/open-feature/flagd-schemas/tree/json/json-schema-v0.2.15/json
"""

from collections.abc import Iterator
from typing import Any

from undertow.routers.feed import Deployment
from undertow.routers.scale import Adapter, Slot

MOST = 2**31 - 1
"""Of all weights of a rule together; with more, flagd takes the default variant."""


def groups(document: dict[str, Any]) -> Iterator[list[Slot]]:
    """The shares of each `fractional` rule, wherever the rule stands; those with a computed share are left alone."""
    for key, rule, model in _rules(document):
        for number, shares in enumerate(_fractional(rule)):
            if all(_whole(share) for share in shares):
                yield [_slot(f"{key} {number} {n}", share, model) for n, share in enumerate(shares)]


def _rules(document: dict[str, Any]) -> Iterator[tuple[str, Any, str | None]]:
    """What tells a rule apart, the rule, and the model that it is about."""
    flags = document["flags"]
    named = flags.items() if isinstance(flags, dict) else ((flag["key"], flag) for flag in flags)
    for key, flag in named:
        yield key, flag.get("targeting"), (flag.get("metadata") or {}).get("model")
    for key, rule in (document.get("$evaluators") or {}).items():
        yield f"$evaluators {key}", rule, None


def _fractional(rule: Any) -> Iterator[list[list[Any]]]:
    inner = rule.values() if isinstance(rule, dict) else rule if isinstance(rule, list) else ()
    if isinstance(rule, dict) and isinstance(rule.get("fractional"), list):
        yield [one for one in rule["fractional"] if isinstance(one, list) and one]
    for one in inner:
        yield from _fractional(one)


def _whole(share: list[Any]) -> bool:
    return len(share) == 1 or (isinstance(share[1], int) and not isinstance(share[1], bool))


def _slot(key: str, share: list[Any], model: str | None) -> Slot:
    if len(share) == 1:  # shorthand for a weight of 1
        share.append(1)
    if not isinstance(share[0], str):  # a rule in place of a variant
        return Slot(key, (), share, 1)
    return Slot(f"{key} {share[0]}", (Deployment(None, None, model, share[0]),), share, 1)


ADAPTER = Adapter(groups, most=MOST, most_together=MOST)
