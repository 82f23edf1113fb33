"""What `undertow doctor` finds in the topics: one batch of each is read, and nothing is joined or committed."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from undertow.batch import Decode, Message
from undertow.commands.inputs import Tally
from undertow.config import KafkaConfig
from undertow_collectors.client import Client, Member, OutOfRangeError, Partition, UnreadableError, View
from undertow_collectors.kafka import library

READ_S = 4.0
"""How long a batch of one topic is waited for."""

Finding = tuple[bool | None, str]
"""Whether it is well, None where nobody can tell, and the end of a sentence that begins with the topic."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Each topic of the configuration with what was found, and who is in the group.

    `faults` are sentences on spans that are known to be wrong where they are made, by topic.
    """

    topics: dict[str, Finding]
    others: tuple[Member, ...]
    faults: dict[str, list[str]]


def look(config: KafkaConfig, decode: Decode, clock: Callable[[], float] = time.monotonic) -> Seen:
    """Look at everything that `config` names. Raises UnavailableError."""
    client = library(config)(config, "undertow-doctor")
    try:
        view = client.look(())
        tallies = {topic: Tally() for topic in config.topics}
        found = {topic: _topic(client, topic, view, decode, clock, tally) for topic, tally in tallies.items()}
        return Seen(found, view.others, {topic: tally.faults() for topic, tally in tallies.items()})
    finally:
        client.close()


def _topic(client: Client, topic: str, view: View, decode: Decode, clock: Callable[[], float], tally: Tally) -> Finding:
    if topic in view.missing:
        return False, "does not exist: create it, or leave it out of kafka.topics"
    if topic in view.denied:
        return False, "cannot be seen by this user: allow Describe and Read on it"
    ranges = client.ranges({p for p in view.partitions if p[0] == topic})
    partition = max(ranges, key=lambda p: ranges[p][1] - ranges[p][0], default=None)
    if partition is None or ranges[partition][0] == ranges[partition][1]:
        return True, f"is there, and has no message in its {len(ranges)} partitions"
    try:
        messages = _newest(client, partition, ranges[partition][1] - 1, clock)
    except UnreadableError as error:
        return False, f"cannot be read: {topic}[{partition[1]}]: {error}"
    if not messages:
        return None, f"brought no message in {READ_S:.0f} s"
    for part in decode(messages):
        tally.add(part.decoded)
    return _told(tally)


def _newest(client: Client, partition: Partition, offset: int, clock: Callable[[], float]) -> list[Message]:
    """What there is from `offset` on, or nothing in time."""
    until = clock() + READ_S
    client.assign({partition: offset})
    while clock() < until:
        try:
            messages = [m for m in client.poll(0.2) if m.origin[:2] == partition]
        except OutOfRangeError:
            return []  # deleted meanwhile
        if messages:
            return messages
    return []


def _told(tally: Tally) -> Finding:
    spans = ", ".join(f"{count} span{'s' * (count > 1)} ({name})" for name, count in tally.formats.items() if count)
    if spans or not tally.rejects:
        writers = tally.writers()
        written = f", written by {writers}" if writers else ""
        return True, f"is readable; its newest batch ends with {spans or 'nothing that is an LLM call'}{written}"
    return None, f"is readable, but its newest message is none that is known: {next(iter(tally.rejects))}"
