"""Many JSON messages looked through at once, for what `strictjson` refuses even where a typed parser would skip it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from undertow.span import Rejected
from undertow_collectors.decode.strictjson import has_surrogates, parse_any

CHUNK = 25
"""Messages looked through at once; more do not stay in the processor's cache."""

_IN_NUMBER = b"0123456789.-"
_BEFORE_NUMBER = b":,[ \t\r\n"
_DIGITS = 40  # before an exponent; where there are more, it is a number for all that is known here


def clean(bodies: Sequence[bytes]) -> int:
    """How many messages come before the first that must not be read with a typed parser."""
    for at in range(0, len(bodies), CHUNK):
        for place in _suspects(bodies[at : at + CHUNK]):
            try:
                parse_any(bodies[at + place])
            except Rejected:
                return at + place
    return len(bodies)


def _suspects(bodies: Sequence[bytes]) -> list[int]:
    """The messages that may hold lone surrogates, integers past 64 bits, infinite numbers or bad UTF-8, in order."""
    joined = b"".join(bodies)
    found: set[int] = set()
    if has_surrogates(joined):
        found = {place for place, body in enumerate(bodies) if has_surrogates(body)}
    if not _is_text(joined):
        found |= {place for place, body in enumerate(bodies) if not _is_text(body)}
    if len(joined) >= 32:
        buffer = np.frombuffer(joined, np.uint8)
        digits = ((buffer ^ 48) < 10).view(np.uint8)  # bytes of 1, on which numpy is quicker than on bools
        places = [*_long(digits), *_far(joined, buffer, digits)]
        if places:
            ends = np.cumsum([len(body) for body in bodies])
            found.update(np.searchsorted(ends, places, "right").tolist())
    return sorted(found)


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def _long(digits: NDArray[np.uint8]) -> list[int]:
    """Places within all runs of 19 digits, and within some of 16."""
    fours = digits[: len(digits) // 4 * 4].view(np.uint32) == 0x01010101
    found: list[int] = (np.flatnonzero(fours[:-3] & fours[1:-2] & fours[2:-1] & fours[3:]) * 4).tolist()
    return found


def _far(joined: bytes, buffer: NDArray[np.uint8], digits: NDArray[np.uint8]) -> list[int]:
    """Places of the `e` of all numbers with an exponent past 99; most others are in ids of hexadecimal digits."""
    among = digits[:-4] & digits[3:-1]
    among &= digits[4:]
    places = np.flatnonzero(among.view(np.bool_)) + 1
    places = places[((buffer[places] | 32) == ord("e")) & (buffer[places + 1] != ord("-"))]
    return [place for place in places.tolist() if _is_number(joined[max(0, place - _DIGITS) : place])]


def _is_number(before: bytes) -> bool:
    return before.rstrip(_IN_NUMBER)[-1:] in _BEFORE_NUMBER
