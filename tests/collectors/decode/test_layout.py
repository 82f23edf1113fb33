"""The shape of an answer's text, and the structure of a JSON one."""

import json
from typing import Any

import pytest

from undertow_collectors.decode import structure
from undertow_collectors.decode.layout import shape
from undertow_collectors.decode.structure import fingerprint

SHAPES = [
    ("Paris.", ""),
    ("One line.\nAnother - with a dash.\n\nAnd 3.5 of them.", ""),
    ("- one thing\nand no other", ""),
    ("Steps:\n1. wash\n2. dry", "list"),
    ("* a\n* b", "list"),
    ("  • a\n  • b", "list"),
    ("1) a\n2) b", "list"),
    ("The price is 5 * 3 * 2.", ""),
    ("A ** b ** c is no bold.", ""),
    ("It is **very** hot.", "markdown"),
    ("# Title\nText", "markdown"),
    ("Text\n\n## Part\nmore", "markdown"),
    ("#hashtag", ""),
    ("See [the page](https://example.com).", "markdown"),
    ("An array[0](x)", ""),
    ("Call `f()` twice.", "markdown"),
    ("| a | b |\n|---|:-:|\n| 1 | 2 |", "markdown"),
    ("```python\nprint()\n```", "code_fence markdown"),
    ("Try:\n\n    ```\n    x\n    ```", "code_fence markdown"),
    ("**Plan**\n- a\n- b\n```sh\nls\n```", "list code_fence markdown"),
]


@pytest.mark.parametrize(("text", "expected"), SHAPES)
def test_shapes(text: Any, expected: Any) -> None:
    """Two items make a list, a fence begins a line, and signs in ordinary sentences are no markdown."""
    assert {name for name, found in shape(text).items() if found} == set(expected.split())


PIECES = [
    "\n",
    "\n ",
    "\n        ",
    "*",
    "**a",
    "**a\n",
    "`",
    "`\n",
    "[",
    "](",
    "\n#",
    "\n|",
    "\n|-",
    "\n| -",
    "\n-",
    "\n1",
    " ",
]


@pytest.mark.parametrize("piece", PIECES)
def test_long_hostile_texts_finish(piece: Any) -> None:
    """Signs repeated a million times are looked at once, in as much of the text as is looked at."""
    assert shape(piece * 1_000_000).keys() == {"list", "markdown", "code_fence"}


SAME = [
    ({"a": 1, "b": "x"}, {"b": "y", "a": 2.5}),
    ({"a": [{"b": 1}]}, {"a": [{"b": 1}, {"b": 2}]}),
    ({"a": {"b": None}}, {"a": {"b": None}}),
]
DIFFERENT = [
    ({"a": 1}, {"a": "1"}),
    ({"a": 1}, {"a": None}),
    ({"a": True}, {"a": 1}),
    ({"a": {"b": 1}}, {"a.b": 1}),
    ({"a": [1]}, {"a[]": 1}),
    ({"a": []}, {"a": {}}),
    ({"a": 1}, [{"a": 1}]),
    ({"a": 1}, {"a": 1, "b": 2}),
]


@pytest.mark.parametrize(("one", "other", "same"), [(*p, True) for p in SAME] + [(*p, False) for p in DIFFERENT])
def test_fingerprints(one: Any, other: Any, same: Any) -> None:
    """Values, the order of keys and the number of items do not count; names, nesting and types do."""
    assert (fingerprint(one) == fingerprint(other)) is same


def test_a_fingerprint_is_short_hex() -> None:
    """16 hex digits, the same in every version."""
    assert fingerprint({"a": [1, None]}) == "95bbfc5f53e2da7e"


def test_fingerprints_are_bounded() -> None:
    """An object keyed by data has none; depth and items past the limits do not count."""
    assert fingerprint({str(n): n for n in range(structure.MAX_PATHS)}) is None
    assert fingerprint([[{str(m): n} for n in range(9)] for m in range(3000)]) is not None
    assert fingerprint([[[{"a": n}] * 64] * 64 for n in range(64)]) is None
    deep = json.loads('{"a":' * 900 + "1" + "}" * 900)
    deeper = {"a": deep}
    assert fingerprint(deep) == fingerprint(deeper)
    assert fingerprint([1] * 64 + ["x"]) == fingerprint([1])
