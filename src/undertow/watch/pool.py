"""What is watched may be one target, a pool of quiet siblings or a gateway: how they are named in documents."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from undertow.outcome import UNKNOWN
from undertow.span import Target

ANY = "*"
"""The deployment that a pool or a gateway is told with: readers that know none find no target of that name."""


@dataclass(frozen=True, slots=True)
class Pool(Target):
    """Several targets of one model of one provider, watched as one. It equals no target, whatever that is called."""

    members: tuple[Target, ...]

    @staticmethod
    def of(members: Iterable[Target]) -> "Pool":
        """The pool of targets of one (provider, model); its gateway is theirs where they have one in common."""
        ordered = tuple(sorted(members, key=order))
        gateways = {member.gateway for member in ordered}
        gateway = ordered[0].gateway if len(gateways) == 1 else None
        return Pool(gateway, ordered[0].provider, ordered[0].model, ANY, ordered)


def members(target: Target) -> tuple[Target, ...]:
    """The targets whose answers are watched as `target`."""
    return target.members if isinstance(target, Pool) else (target,)


def akin(one: Target, other: Target) -> bool:
    """Whether the same answers speak for both."""
    return not set(members(one)).isdisjoint(members(other))


def named(target: Target) -> dict[str, Any]:
    """`target`, and `pooled` for a pool, as incidents, notices and detectability tell them."""
    told: dict[str, Any] = {"target": target.as_dict()}
    return told | {"pooled": [m.as_dict() for m in target.members]} if isinstance(target, Pool) else told


def subject(document: Mapping[str, Any]) -> Target:
    """What `named` was given."""
    pooled = document.get("pooled")
    return Pool.of(Target(**member) for member in pooled) if pooled else Target(**document["target"])


def of_gateway(target: Target) -> Target:
    """The target `unknown` of the gateway of `target`."""
    return Target(target.gateway, UNKNOWN, UNKNOWN, ANY)


def is_gateway(target: Target) -> bool:
    """Whether a target stands for all of its gateway."""
    return target == of_gateway(target)


def place(target: Target) -> str:
    """Where a target is, beside its siblings."""
    return "/".join(filter(None, (target.gateway, target.deployment))) or "no gateway"


def order(target: Target) -> tuple[str, ...]:
    """Sorts targets, and pools behind one another by their members."""
    return tuple(
        text or ""
        for one in (target, *members(target))
        for text in (one.provider, one.model, one.gateway, one.deployment)
    )
