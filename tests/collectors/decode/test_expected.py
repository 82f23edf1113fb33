"""Each folder of fixtures with an `expected.jsonl` becomes exactly what stands there, reviewed by hand.

A line is a span with its known fields, `{"skipped": REASON}` or `{"rejected": REASON}`; the spans come first, in order.
`python tests/collectors/decode/test_expected.py FOLDER` prints what the folder becomes now.
"""

import json
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from undertow.batch import Decoded, Message
from undertow.commands.decode import known
from undertow.span import Span
from undertow_collectors import files
from undertow_collectors.decode.registry import FORMATS, decode

FIXTURES = Path(__file__).parents[2] / "fixtures" / "formats"
FOLDERS = sorted(path.parent for path in FIXTURES.glob("*/expected.jsonl"))
RECEIVED_S = 1_790_000_000.0
"""When Kafka got the messages, for records without a time of their own."""


def decoded(folder: Path) -> list[Decoded]:
    """What the messages of a folder become, recognised one by one."""
    paths = sorted(path for path in folder.iterdir() if path.name not in ("expected.jsonl", "README.md"))
    messages = (message for path in paths for message in files.messages(str(path)))
    return [decode(replace(message, timestamp_s=RECEIVED_S)) for message in messages]


def lines(found: list[Decoded]) -> list[dict[str, Any]]:
    """The same as the lines of an `expected.jsonl`."""
    skipped = sum((one.skipped for one in found), Counter[str]())
    rejected = Counter(reject.reason for one in found for reject in one.rejects)
    spans = [json.loads(json.dumps(known(_logged(span)))) for one in found for span in one.spans]
    return [
        *spans,
        *({"skipped": reason} for reason in sorted(skipped.elements())),
        *({"rejected": reason} for reason in sorted(rejected.elements())),
    ]


def _logged(span: Span) -> Span:
    """A span without a cost from list prices, which change with the package that has them."""
    return msgspec.structs.replace(span, cost_usd=None, cost_derived=None) if span.cost_derived else span


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_fixtures_become_what_is_expected(folder: Path) -> None:
    """Every field of every span, every skip and every reject, and nothing else."""
    expected = [json.loads(line) for line in (folder / "expected.jsonl").read_text().splitlines()]
    found = lines(decoded(folder))
    for index, (one, other) in enumerate(zip(found, expected, strict=False)):
        assert one == other, f"line {index + 1}"
    assert len(found) == len(expected)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_fixtures_are_recognised_as_their_own_format(folder: Path) -> None:
    """A message of one format bears no sign of another; a folder named as a format holds that format alone."""
    formats = {one.format for one in decoded(folder)}
    assert folder.name not in FORMATS or formats == {folder.name}


def test_single_spans_of_every_convention_become_what_is_expected(curated: list[tuple[str, Message]]) -> None:
    """Of the 108 captured spans each is the span, or the skip, of its line in `curated-expected.jsonl`."""
    expected = (FIXTURES / "curated-expected.jsonl").read_text().splitlines()
    for (name, message), line in zip(curated, expected, strict=True):
        assert [name, *lines([decode(message)])] == json.loads(line)


if __name__ == "__main__":
    for line in lines(decoded(FIXTURES / sys.argv[1])):
        print(json.dumps(line))  # noqa: T201  its whole purpose
