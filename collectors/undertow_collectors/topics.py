"""The topics of one session: which they are, where each goes on, and that none becomes another meanwhile."""

import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from undertow.batch import Batch, Decode, Mark, Message, Position, Sink
from undertow_collectors import identity
from undertow_collectors.client import Client, Partition, ReplacedError
from undertow_collectors.identity import Decision, Identity, Standing, decide

log = logging.getLogger(__name__)

PROBED = 5  # partitions of one topic whose marks are looked at
Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Beginning:
    """The offsets that the store has for newly assigned partitions, and a sentence for each topic that is another."""

    offsets: dict[Partition, int] = field(default_factory=dict)
    replaced: dict[str, str] = field(default_factory=dict)


class Topics:
    """What a session knows of its topics; one thread uses it.

    A topic stays the same as long as the session lasts: ReplacedError ends it as soon as one is not, so that nothing
    which a client has fetched of the one can count as the other's.
    """

    def __init__(self, client: Client, sink: Sink, decode: Decode) -> None:
        self._client, self._sink, self._decode = client, sink, decode
        self._found: dict[str, Identity] = {}
        self._kept: dict[str, Identity] = {}
        self._read: dict[Partition, Mark] = {}
        self._sure: dict[Partition, Mark] = {}

    def begin(self, ranges: Mapping[Partition, Range]) -> Beginning:
        """Recognise the topics of newly assigned partitions, whose first and next offsets are `ranges`."""
        beginning = Beginning()
        names = sorted({topic for topic, _ in ranges})
        found = self._client.identify(names)
        self._compare(found)
        for topic in names:
            known = self._sink.positions(topic)
            if topic not in self._kept:
                self._recognise(topic, found.get(topic, Identity()), known, ranges, beginning)
                known = self._sink.positions(topic)
            for number, position in known.get(str(self._kept[topic]), {}).items():
                if (topic, number) in ranges:
                    beginning.offsets[topic, number] = position.next_offset
                    if position.mark:
                        self._sure[topic, number] = position.mark
        return beginning

    def note(self, messages: Iterable[Message]) -> None:
        """Remember the last of `messages` of one partition."""
        *_, last = messages
        self._read[last.origin[:2]] = identity.mark(last)

    def confirm(self, batch: Batch) -> Batch:
        """`batch` with what it was read from, once the broker has said that its topics are still the same.

        Whatever was fetched before that answer is of them. Raises ReplacedError.
        """
        topics = {topic for topic, _ in batch.next_offsets}
        asked = [topic for topic in topics if self._found[topic].is_certain]
        if asked:
            self._compare(self._client.identify(asked))
            self._sure |= self._of(asked)
        return self.sign(batch)

    def sign(self, batch: Batch) -> Batch:
        """`batch` with what it was read from."""
        batch.identities = {topic: str(self._kept[topic]) for topic, _ in batch.next_offsets}
        batch.marks = {p: self._sure[p] for p in batch.next_offsets if p in self._sure}
        return batch

    def check(self, placed: Collection[Partition]) -> None:
        """Look whether the topics are still the same, by a message where there are no ids. Raises ReplacedError."""
        names = sorted({topic for topic, _ in placed})
        if not names:
            return
        read = self._of(names)
        self._compare(self._client.identify(names))
        nameless = {p for p in placed if not self._found[p[0]].is_certain}
        ranges = self._client.ranges(nameless) if nameless else {}
        for topic in {topic for topic, _ in nameless}:
            marks = {n: Position(mark.offset + 1, mark) for (t, n), mark in self._sure.items() if t == topic}
            if self._standing(topic, marks, ranges) == "differs":
                raise ReplacedError(topic)
        self._sure |= read

    def _of(self, topics: Collection[str]) -> dict[Partition, Mark]:
        return {p: mark for p, mark in self._read.items() if p[0] in topics}

    def _compare(self, found: Mapping[str, Identity]) -> None:
        """A topic that is not there just now may come again as the same."""
        for topic, now in found.items():
            if topic in self._found and now.differs(self._found[topic]):
                raise ReplacedError(topic)

    def _recognise(
        self,
        topic: str,
        found: Identity,
        known: Mapping[str, Mapping[int, Position]],
        ranges: Mapping[Partition, Range],
        beginning: Beginning,
    ) -> None:
        decision = decide(found, tuple(known), lambda text: self._standing(topic, known[text], ranges))
        self._found[topic], self._kept[topic] = found, decision.identity
        if decision.formerly is not None:
            kept = {topic: str(decision.identity)}
            self._sink.ingest(Batch(identities=kept, formerly={topic: decision.formerly}))
        if decision.reason == "replaced":
            beginning.replaced[topic] = _told(topic, decision, known)
        elif decision.reason == "unverified":
            log.warning("whether %s is the topic that was read before cannot be checked; reading goes on", topic)

    def _standing(self, topic: str, positions: Mapping[int, Position], ranges: Mapping[Partition, Range]) -> Standing:
        """One message that is still there tells that the topic is the same, whatever became of other partitions."""
        looked = [(p, positions[p[1]]) for p in ranges if p[0] == topic and positions.get(p[1], _NOTHING).next_offset]
        looked.sort(key=lambda one: (one[1].mark.timestamp_s or 0.0) if one[1].mark else -1.0, reverse=True)
        verdicts: list[Standing] = []
        for partition, position in looked[:PROBED]:
            verdicts.append(self._verdict(partition, position, *ranges[partition]))
            if verdicts[-1] == "stands":
                break
        if not verdicts or "stands" in verdicts:
            return "stands"
        return "differs" if "differs" in verdicts else "unknown"

    def _verdict(self, partition: Partition, position: Position, first: int, end: int) -> Standing:
        at = position.mark.offset if position.mark else position.next_offset - 1
        if at >= end:  # what was read stood there, and logs do not become shorter
            return "differs"
        if position.mark is None or at < first:
            return "unknown"
        message = self._client.message_at(partition, at)
        return identity.compare(position.mark, message, self._decode) if message else "unknown"


_NOTHING = Position(0)


def _told(topic: str, decision: Decision, known: Mapping[str, Mapping[int, Position]]) -> str:
    last = list(known)[-1]
    clusters = {Identity.parse(last).cluster_id, decision.identity.cluster_id} - {""}
    how = "is that of another cluster" if len(clusters) > 1 else "was deleted and created again"
    read = sum(position.next_offset for position in known[last].values())
    return (
        f"topic {topic} {how}: it is read by kafka.start, as a new one; the offsets of the former one, {read} in all "
        f"partitions, are kept apart{f' under {last}' if last else ''}"
    )
