"""Many messages at once: from bytes to Arrow columns where a format has a fast way, one message at a time elsewhere.

Most messages of a topic are alike and without a mistake. A format's `take` reads as many of them as it can, from the
first on, straight into columns; what it leaves goes through `registry.decode`, which says exactly the same of every
message that both can read. So a fast way may refuse whatever it likes, and must never read a message differently.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import partial

from undertow.batch import Decoded, Message, Part
from undertow_collectors.decode import litellm_columns, native_columns, otlp_columns, registry

Take = Callable[[Sequence[Message], frozenset[str]], list[Part]]
"""What the first messages of one partition became, in order, if the keys named beside them are kept as labels.

Empty where not even the first could be read.
"""

MAX_WAIT = 64
"""Messages that are read singly between two tries, where the last ones took nothing."""

MAPPED = "auto, beside field maps"

FAST: dict[str, tuple[Take, ...]] = {
    "auto": (native_columns.take, otlp_columns.take, litellm_columns.take),
    MAPPED: (native_columns.take, otlp_columns.take),
    "native": (native_columns.take,),
    "otlp": (otlp_columns.take,),
    "litellm": (litellm_columns.take,),
}
"""By the format that is asked for, what is tried, in this order; field maps are asked before JSON is recognised."""


def decode_run(
    messages: Sequence[Message],
    name: str = "auto",
    keep_labels: frozenset[str] = frozenset(),
    decode: Callable[[Message], Decoded] | None = None,
) -> list[Part]:
    """What messages of one partition, in order, became, in the format `name`.

    `decode` reads those that no fast way takes, in the same format and with the same `keep_labels`; without it
    `registry.decode` does. Never raises.
    """
    one = decode or partial(registry.decode, format=name, keep_labels=keep_labels)
    parts: list[Part] = []
    at, again, wait = 0, 0, 1
    while at < len(messages):
        taken: list[Part] = []
        if at >= again:
            rest = messages[at:]
            taken = next((found for take in FAST.get(name, ()) if (found := take(rest, keep_labels))), [])
            wait = 1 if taken else min(2 * wait, MAX_WAIT)
            again = at + wait
        if not taken:
            origin = messages[at].origin
            taken = [Part(origin, one(messages[at]), origin.offset + 1)]
        parts += taken
        at = bisect_left(messages, taken[-1].next_offset, at + 1, key=lambda message: message.origin.offset)
    return parts
