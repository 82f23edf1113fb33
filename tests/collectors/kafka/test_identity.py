"""Whether a topic is the one that was read before: the table of cases, a row a test."""

from typing import Any

import pytest

from undertow.batch import Decoded, Mark, Message, Origin
from undertow.span import Span
from undertow_collectors.identity import SPAN, Decision, Identity, compare, decide, mark, spelled
from undertow_collectors.pump import singly

X, Y, NEXT = Identity("c", "x"), Identity("c", "y"), Identity("d", "x")
BARE, ALONE = Identity("c"), Identity()


@pytest.mark.parametrize(
    ("case", "found", "known", "standing", "expected"),
    [
        ("never read", X, [], None, Decision("new", X)),
        ("never read, and no ids", ALONE, [], None, Decision("new", ALONE)),
        ("the same ids", X, ["c/x"], None, Decision("same", X)),
        ("created again", Y, ["c/x"], None, Decision("replaced", Y)),
        ("the same topic id in another cluster", NEXT, ["c/x"], None, Decision("replaced", NEXT)),
        ("back in the former cluster", X, ["c/x", "d/x"], None, Decision("same", X)),
        ("a database without ids, the message is there", X, [""], "stands", Decision("recognised", X, "")),
        ("a database without ids, another message is there", X, [""], "differs", Decision("replaced", X)),
        ("a database without ids, no message is there", X, [""], "unknown", Decision("unverified", X, "")),
        ("the broker learned ids", X, ["c"], "stands", Decision("recognised", X, "c")),
        ("the broker lost its ids", BARE, ["c/x"], "stands", Decision("recognised", X)),
        ("the broker lost its ids, another message", BARE, ["c/x"], "differs", Decision("replaced", BARE)),
        ("the broker lost its ids, no message", BARE, ["c/x"], "unknown", Decision("unverified", X)),
        ("no ids, the message is there", BARE, ["c/"], "stands", Decision("recognised", BARE)),
        ("no ids, another message", BARE, ["c/"], "differs", Decision("replaced", Identity("c", "~2"))),
        ("no ids, a third topic", BARE, ["c/", "c/~2"], "differs", Decision("replaced", Identity("c", "~3"))),
        ("no ids, the second topic", BARE, ["c/", "c/~2"], "stands", Decision("recognised", Identity("c", "~2"))),
        ("a made-up id gives way to a true one", X, ["c/~2"], "stands", Decision("recognised", X, "c/~2")),
        ("no topic ids, another cluster", Identity("d"), ["c/"], None, Decision("replaced", Identity("d"))),
        ("nothing is known on either side", ALONE, [""], "stands", Decision("recognised", ALONE)),
        ("nothing is known, another message", ALONE, [""], "differs", Decision("replaced", Identity("", "~2"))),
        ("a name that is taken already", BARE, ["c/", ""], "stands", Decision("recognised", ALONE)),
    ],
)
def test_what_a_topic_is(case: str, found: Identity, known: Any, standing: Any, expected: Decision) -> None:
    """Ids decide where they are known on both sides; a message is looked at only where they do not."""
    known = ["c/" if text == "c" else text for text in known]
    expected = expected if expected.formerly != "c" else Decision(expected.reason, expected.identity, "c/")
    asked: list[str] = []

    def look(text: str) -> Any:
        asked.append(text)
        return standing

    assert decide(found, known, look) == expected, case
    assert bool(asked) == (standing is not None), case


@pytest.mark.parametrize("identity", [X, BARE, ALONE, Identity("", "~2")])
def test_an_identity_is_written_and_read(identity: Identity) -> None:
    """As the store keeps it; nothing known is an empty text."""
    assert Identity.parse(str(identity)) == identity
    assert str(ALONE) == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ecEDegAuRFqTS2w+zI/6cg", "ecEDegAuRFqTS2w-zI_6cg"),
        ("79c1037a-002e-445a-934b-6c3ecc8ffa72", "ecEDegAuRFqTS2w-zI_6cg"),
        ("00000000-0000-0000-0000-000000000000", ""),
        ("AAAAAAAAAAAAAAAAAAAAAA==", ""),
        (None, ""),
    ],
)
def test_both_libraries_spell_an_id_alike(text: str | None, expected: str) -> None:
    """As Kafka's tools print it, so that a change of kafka.client is no change of the topic; zeros are none."""
    assert spelled(text) == expected


def message(value: bytes, timestamp_s: float | None = 1.5) -> Message:
    """The message at offset 7."""
    return Message(Origin("t", 0, 7), value, timestamp_s)


def spans(message: Message) -> Decoded:
    """A span that is called as the message says; an empty message holds none."""
    ids = filter(None, [message.value.decode()])
    return Decoded("native", [Span(span_id=i, started_at=1.0, provider="p", model="m") for i in ids])


@pytest.mark.parametrize(
    ("kept", "found", "expected"),
    [
        (mark(message(b"a")), message(b"a"), "stands"),
        (mark(message(b"a")), message(b"b"), "differs"),
        (mark(message(b"a")), message(b"a", 2.5), "differs"),
        (mark(message(b"a", None)), message(b"a"), "stands"),
        (mark(message(b"")), message(b""), "stands"),
        (Mark(7, None, f"{SPAN}a"), message(b"a"), "stands"),
        (Mark(7, None, f"{SPAN}a"), message(b"b"), "differs"),
        (Mark(7, None, f"{SPAN}a"), message(b""), "unknown"),
    ],
)
def test_a_message_is_recognised(kept: Mark, found: Message, expected: str) -> None:
    """By its bytes and its timestamp, where both are known; in an older database by a span that it holds."""
    assert compare(kept, found, singly(spans)) == expected
