"""Who is in a consumer group, by whichever protocol, as kafka-python can ask for it."""

import logging
from collections.abc import Iterable, Iterator
from typing import Any

from kafka.errors import AuthorizationError, KafkaError, NoError, UnsupportedVersionError, for_code

from undertow.veil import Veil
from undertow_collectors.client import Member, Partition
from undertow_collectors.group_messages import MEMBER_TYPES, ConsumerGroupDescribeRequest

log = logging.getLogger(__name__)

FINAL = (AuthorizationError, UnsupportedVersionError)
"""Errors after which asking again is no use."""


class Group:
    """The members of one group, asked of an administrator's client."""

    def __init__(self, group_id: str, hide: Veil) -> None:
        self._group_id, self._hide = group_id, hide
        self._silent = False

    def members(self, admin: Any) -> dict[str, Member]:
        """Each member by its id; nobody where we may not ask, or where the broker (librdkafka's mock) cannot tell."""
        if self._silent:
            return {}
        try:
            group = admin.describe_groups([self._group_id])[self._group_id]
            # A group with members of the new protocol is no classic group, so that it looks dead.
            found = _classic(group) if group["members"] else _any(admin, self._group_id)
            return dict(found)
        except KafkaError as error:
            self._silent = isinstance(error, FINAL) or not error.retriable
            log.info("cannot see whether others are in the group: %s", self._hide(repr(error)))
            return {}


def _classic(group: dict[str, Any]) -> Iterator[tuple[str, Member]]:
    for one in group["members"]:
        held = (one["member_assignment"] or {}).get("assigned_partitions", ())
        instance_id = one.get("group_instance_id")
        yield one["member_id"], Member(one["client_id"], one["client_host"], instance_id, _pairs(held, "topic"))


def _any(admin: Any, group_id: str) -> Iterator[tuple[str, Member]]:
    if not admin._manager.broker_version_data.api_versions.get(ConsumerGroupDescribeRequest.API_KEY):
        return  # a broker before 3.7
    answer = admin._manager.run(_ask, admin, group_id).to_dict()
    for group in answer["groups"]:
        kind = for_code(group["error_code"])
        if issubclass(kind, AuthorizationError):
            raise kind(group["error_message"] or "")
        for one in group["members"] if kind is NoError else ():
            held = one["assignment"]["topic_partitions"]
            protocol = MEMBER_TYPES.get(one.get("member_type", -1), "")
            name, host, instance_id = one["client_id"], one["client_host"], one["instance_id"]
            yield one["member_id"], Member(name, host, instance_id, _pairs(held, "topic_name"), protocol)


async def _ask(admin: Any, group_id: str) -> Any:
    coordinators = await admin._find_coordinator_ids([group_id])
    request = ConsumerGroupDescribeRequest(group_ids=[group_id], include_authorized_operations=False)
    return await admin._manager.send(request, node_id=coordinators[group_id])


def _pairs(held: Iterable[dict[str, Any]], key: str) -> tuple[Partition, ...]:
    return tuple((one[key], partition) for one in held for partition in one["partitions"])
