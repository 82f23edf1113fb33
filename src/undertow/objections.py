"""What is wrong with a value of the configuration, in words for people who do not know msgspec."""

import re
from collections.abc import Sequence
from typing import Any

_IN_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "bool": "true or false",
    "object": "a table",
    "array": "a list",
    "null": "nothing",
}
_TYPES = re.compile(rf"`((?:{'|'.join(_IN_WORDS)})(?: \| (?:{'|'.join(_IN_WORDS)}))*)`")
_PLAIN = {
    " | null`": "`",
    " of length >= 1": " that is not empty",
    " matching regex ": " of the form ",
    " >= ": " of at least ",
    " <= ": " of at most ",
    "` > ": "` above ",
}
"""What msgspec says of types and bounds, in words."""
_BOUND = re.compile(r" number (?:of at least|of at most|above) ")


def objection(value: Any, options: Sequence[str], text: str) -> str:
    """What was expected at a key and what stands there, made of `text`, which is msgspec's; `options` lists names.

    A text is repeated only where it ought to be a name: anywhere else it may be a secret that slipped in.
    """
    named = bool(options) or " matching regex " in text
    if options:
        text = f"expected one of {', '.join(options)}"
    for phrase, plain in _PLAIN.items():
        text = text.replace(phrase, plain)
    text = _TYPES.sub(lambda found: " or ".join(_IN_WORDS[name] for name in found[1].split(" | ")), text)
    text = text[0].lower() + text[1:].replace("got true or false", f"got {str(value).lower()}")
    if named and isinstance(value, str):
        return f"{text}, got {value!r}"
    return f"{text}, got {value}" if _BOUND.search(text) else text
