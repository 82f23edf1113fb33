"""Whether a topic is the one that was read before: by the ids that the broker gives, else by a message.

    in the store          the broker says    the message at the mark    decision     read on
    nothing               anything           -                          new          by kafka.start
    these ids             these ids          -                          same         from the store's offsets
    other ids only        these ids          -                          replaced     by kafka.start
    ids that may be       less than that,    is the one that was read   recognised   from the store's offsets
    the same, as a part   or more            is another one             replaced     by kafka.start
    of them is unknown                       cannot be had any more     unverified   from the store's offsets

Ids are those of KIP-516 (brokers from 2.8 on) and of the cluster, as Kafka's own tools print them.
"""

import base64
import hashlib
import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Literal, NamedTuple

from undertow.batch import Decode, Mark, Message

Reason = Literal["new", "same", "replaced", "recognised", "unverified"]
Standing = Literal["stands", "differs", "unknown"]
"""Whether the message that a mark tells of is still where it was read."""

SPAN = "span_id:"
"""How the digest of a mark begins that names a span of the message: older databases know no more of it."""
_MADE_UP = "~"
_NO_ID = "A" * 22


class Identity(NamedTuple):
    """Which topic it is, beside its name; a part that is not known is empty.

    Where the broker gives no topic id and another topic has come, `~2`, `~3`, ... stand in its place.
    """

    cluster_id: str = ""
    topic_id: str = ""

    @classmethod
    def parse(cls, text: str) -> "Identity":
        """The identity that is written `text`."""
        return cls(*text.split("/")) if text else cls()

    def __str__(self) -> str:
        return "/".join(self) if any(self) else ""

    @property
    def is_certain(self) -> bool:
        """Whether the broker has given the topic's id."""
        return bool(self.topic_id) and not self.topic_id.startswith(_MADE_UP)

    def differs(self, other: "Identity") -> bool:
        """Whether these are certainly two topics."""
        clusters = {self.cluster_id, other.cluster_id} - {""}
        return len(clusters) > 1 or (self.is_certain and other.is_certain and self.topic_id != other.topic_id)

    def completed(self, other: "Identity") -> "Identity":
        """The same topic with what `other` knows of it."""
        topic_id = self.topic_id if self.is_certain else other.topic_id or self.topic_id
        return Identity(self.cluster_id or other.cluster_id, topic_id)


def spelled(topic_id: str | None) -> str:
    """A topic id in base64 as Kafka's tools print it, also of one in hexadecimals; empty where there is none."""
    if topic_id and len(topic_id) > len(_NO_ID) + 2:
        topic_id = base64.b64encode(uuid.UUID(topic_id).bytes).decode()
    text = (topic_id or "").rstrip("=").replace("+", "-").replace("/", "_")
    return "" if text == _NO_ID else text


@dataclass(frozen=True, slots=True)
class Decision:
    """Under which identity a topic is read from now on; `formerly` is how it was written until now, if otherwise."""

    reason: Reason
    identity: Identity
    formerly: str | None = None


def decide(found: Identity, known: Collection[str], standing: Callable[[str], Standing]) -> Decision:
    """What the topic is that the broker calls `found`, where the store has offsets under `known`, the latest last.

    `standing` is asked, of one of `known`, only where ids do not tell.
    """
    if not known:
        return Decision("new", found)
    if found.is_certain and str(found) in known:
        return Decision("same", found)
    alike = [text for text in known if not found.differs(Identity.parse(text))]
    if not alike:
        return Decision("replaced", _unused(found, known))
    verdict = standing(alike[-1])
    if verdict == "differs":
        return Decision("replaced", _unused(found, known))
    reason: Reason = "recognised" if verdict == "stands" else "unverified"
    identity = found.completed(Identity.parse(alike[-1]))
    if str(identity) == alike[-1]:
        return Decision(reason, identity)
    if str(identity) in known:
        return Decision(reason, Identity.parse(alike[-1]))
    return Decision(reason, identity, alike[-1])


def _unused(found: Identity, known: Collection[str]) -> Identity:
    """`found`, or the same with a made-up topic id where its offsets would be mixed with others."""
    number = 1
    identity = found
    while str(identity) in known:
        number += 1
        identity = found._replace(topic_id=f"{_MADE_UP}{number}")
    return identity


def mark(message: Message) -> Mark:
    """What `message` is recognised by."""
    return Mark(message.origin.offset, message.timestamp_s, _digest(message))


def compare(kept: Mark, message: Message, decode: Decode) -> Standing:
    """Whether `message`, which stands where `kept` was made, is the one it was made of."""
    if kept.digest.startswith(SPAN):
        ids = _span_ids(message, decode)
        return "unknown" if not ids else "stands" if kept.digest.removeprefix(SPAN) in ids else "differs"
    times = {kept.timestamp_s, message.timestamp_s} - {None}
    return "stands" if kept.digest == _digest(message) and len(times) < 2 else "differs"


def _digest(message: Message) -> str:
    return hashlib.blake2b(message.value, digest_size=16).hexdigest()


def _span_ids(message: Message, decode: Decode) -> set[str]:
    found: set[str] = set()
    for _, decoded, _ in decode([message]):
        found |= {span.span_id for span in decoded.spans}
        found |= set(decoded.columns["span_id"].to_pylist() if decoded.columns is not None else ())
    return found
