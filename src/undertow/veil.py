"""Takes our own secrets out of what others say: a receiver or a broker may repeat what it was sent.

Text of our own holds no secret in the first place; this is for answers and for errors of libraries.
"""

import base64
import re
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import quote, urlsplit

import msgspec

from undertow.keys import Secret

Veil = Callable[[str], str]

HIDDEN = "<secret>"
SHORTEST = 4
"""A secret that is shorter would take words apart."""

LEAST = 8
"""Parts of a secret address that are shorter are words such as `hooks`."""

ADDRESSES = ("url", "otlp_endpoint")
"""Keys whose addresses may hold a token although they are no secrets by their type."""

_BASE64 = "[A-Za-z0-9+/_=-]*"


class Discreet(msgspec.Struct, frozen=True, kw_only=True):
    """Settings whose repr shows no secret and of an address only where it leads."""

    def hidden(self) -> list[Secret | str]:
        """The secrets and the addresses that may hold one."""
        told = ((name, getattr(self, name)) for name in self.__struct_fields__)
        return [value for name, value in told if value and (isinstance(value, Secret) or name in ADDRESSES)]

    def __repr__(self) -> str:
        told = ((name, getattr(self, name)) for name in self.__struct_fields__)
        shown = (f"{name}={_shown(name, value)}" for name, value in told)
        return f"{type(self).__name__}({', '.join(shown)})"


def veil(secrets: Iterable[Secret | str | None]) -> Veil:
    """What takes these secrets out of a text: as they are, percent-encoded, in hex, and in base64 with what is beside.

    Of an address it takes user, path and query out, and their long parts.
    """
    parts = {part for secret in secrets if secret for part in _parts(_plain(secret)) if len(part) >= SHORTEST}
    wanted = [pattern for part in sorted(parts, key=len, reverse=True) for pattern in _patterns(part)]
    found = re.compile("|".join(wanted), re.IGNORECASE) if wanted else None
    return lambda text: found.sub(HIDDEN, text) if found else text


def origin(url: str) -> str:
    """Scheme, host and port of an address: all of it that is no secret."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return HIDDEN
    return f"{parts.scheme}://{parts.hostname}{port}" if parts.scheme and parts.hostname else HIDDEN


def _shown(name: str, value: object) -> str:
    return repr(origin(value)) if name in ADDRESSES and isinstance(value, str) and value else repr(value)


def _plain(secret: Secret | str) -> str:
    return secret.reveal() if isinstance(secret, Secret) else secret


def _parts(text: str) -> Iterator[str]:
    if not re.match(r"https?://", text, re.IGNORECASE):
        yield text
        return
    rest = text.partition("://")[2]
    user, at, _ = rest.partition("/")[0].rpartition("@")
    pieces = [*re.split(r"[/?&=#]", rest)[1:], *(user.split(":") if at else ())]
    yield from (text, *(piece for piece in (rest.partition("/")[2], *pieces) if len(piece) >= LEAST))


def _patterns(part: str) -> Iterator[str]:
    octets = part.encode(errors="surrogateescape")
    yield re.escape(part)
    yield re.escape(quote(octets, safe=""))
    yield octets.hex()
    yield from (f"{_BASE64}{re.escape(core)}{_BASE64}" for core in _base64(octets))


def _base64(octets: bytes) -> Iterator[str]:
    """What every base64 text that holds `octets` holds, by where in a group of three they begin; both alphabets."""
    for before in range(3):
        whole = base64.b64encode(b"\0" * before + octets).decode()
        core = whole[(0, 2, 3)[before] : (before + len(octets)) * 8 // 6]
        if len(core) >= LEAST:
            yield from {core, core.replace("+", "-").replace("/", "_")}
