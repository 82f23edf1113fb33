"""Distinct random secrets for every key that can hold one, and where they turned up again."""

import base64
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args, get_origin

import duckdb
import msgspec

from undertow.config import Config
from undertow.keys import Secret, bare
from undertow.veil import ADDRESSES

PUBLIC = frozenset({"alerts.dashboard_url"})
"""Addresses that are meant to be told."""

_NAMED_LIKE_ONE = re.compile(r"(url|uri|endpoint|token|secret|password|passphrase|credentials?|_key)$")


def hiding(kind: Any = Config, path: str = "") -> Iterator[str]:
    """Every key of the configuration that is a secret, or is named as if it held one."""
    for info in msgspec.structs.fields(kind):
        key, inner = f"{path}{info.name}", bare(info.type)
        while get_origin(inner) in (list, dict):
            inner = bare(get_args(inner)[-1])
        if isinstance(inner, type) and issubclass(inner, msgspec.Struct):
            yield from hiding(inner, f"{key}.")
        elif inner is Secret or info.name in ADDRESSES or (_NAMED_LIKE_ONE.search(info.name) and key not in PUBLIC):
            yield key


@dataclass
class Canaries:
    """Makes secrets: each holds a random core, by which it is found, and characters that encodings change."""

    cores: dict[str, str] = field(default_factory=dict)

    def core(self, key: str) -> str:
        """A new core for `key`."""
        core = secrets.token_hex(10)
        self.cores[core] = key
        return core

    def token(self, key: str) -> str:
        """A token, as a provider of an API makes them."""
        return f"{self.core(key)}+/=~{secrets.token_hex(4)}"

    def signing(self, key: str) -> str:
        """A secret of Standard Webhooks."""
        return "whsec_" + base64.b64encode(self.core(key).encode() + secrets.token_bytes(12)).decode()

    def found(self, text: bytes) -> set[str]:
        """The keys whose canaries are in `text`, as they are, in hex or base64; percent-encoding leaves cores alone."""
        return {key for core, key in self.cores.items() if any(form in text for form in _forms(core.encode()))}


def _forms(core: bytes) -> Iterator[bytes]:
    yield core
    yield core.hex().encode()
    yield core.hex().upper().encode()
    for before in range(3):
        whole = base64.b64encode(b"\0" * before + core)
        yield whole[(0, 2, 3)[before] : (before + len(core)) * 8 // 6]


def leaks(canaries: Canaries, told: Mapping[str, bytes]) -> dict[str, set[str]]:
    """The places that hold a canary, each with the keys of those it holds."""
    return {place: keys for place, text in told.items() if (keys := canaries.found(text))}


def database(path: Path) -> dict[str, bytes]:
    """Every row of every table of a database, and the bytes of its files."""
    told = {file.name: file.read_bytes() for file in path.parent.glob(f"{path.name}*")}
    with duckdb.connect(str(path), read_only=True) as con:
        for (table,) in con.execute("SELECT table_name FROM duckdb_tables()").fetchall():
            rows = con.table(f'"{table}"').fetchall()
            told[f"table {table}"] = b"\n".join(_raw(value) for row in rows for value in row)
    return told


def _raw(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
