"""Files named on the command line; shared by `decode` and `replay`."""

import argparse
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from undertow.batch import Decode, Decoded, Message, instrumentations
from undertow.config import Config, formats
from undertow.errors import BadData, StoreError, UsageError
from undertow.instrumentation import Instrumentation
from undertow.known_faults import KnownFault, known_faults
from undertow_collectors.decode.maps import compiled
from undertow_collectors.decode.registry import FORMATS, decode
from undertow_collectors.decode.runs import MAPPED, decode_run
from undertow_collectors.files import messages

STDIN = "-"

WRITERS = 5
"""Instrumentations that are named in one line."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add PATH..., --format and --config."""
    parser.add_argument(
        "paths",
        nargs="+",
        metavar="PATH",
        help="JSONL, JSON arrays, OTLP protobuf (.pb, .bin), gzip or zstd of these; - is standard input",
    )
    parser.add_argument(
        "--format",
        default="auto",
        metavar="NAME",
        help=f"what the files hold: {', '.join(sorted(FORMATS))}, or a field map of the configuration"
        " (default: auto, recognised message by message)",
    )
    parser.add_argument("--config", metavar="FILE", type=Path, help="configuration (default: ./undertow.toml)")


def opened(paths: Sequence[str]) -> list[Iterator[Message]]:
    """The messages of each file. Raises StoreError for the first that is not there, before any is read."""
    for path in paths:
        if path != STDIN and not Path(path).exists():
            raise StoreError(f"{path}: no such file")
    return [messages(path) for path in paths]


def keeping(config: Config) -> Callable[..., Decoded]:
    """`decode` of a message and a format with the field maps of `config`, keeping what its store keeps."""
    maps = compiled(config.kafka.field_map if config.kafka else ())
    store = config.store
    return partial(decode, keep_text=store.keep_text, keep_labels=frozenset(store.keep_labels), maps=maps)


def decoder(format_name: str, config: Config) -> Callable[..., Decoded]:
    """The same for one format; raises UsageError where there is none of that name."""
    known = formats(config)
    if format_name not in known:
        raise UsageError(f"no format {format_name!r}; known: {', '.join(known)}")
    return partial(keeping(config), format=format_name)


def run_decoder(format_name: str, config: Config) -> Decode:
    """The same for many messages at once."""
    labels = frozenset(config.store.keep_labels)
    name = MAPPED if format_name == "auto" and config.kafka and config.kafka.field_map else format_name
    return partial(decode_run, name=name, keep_labels=labels, decode=decoder(format_name, config))


@dataclass(slots=True)
class Tally:
    """What became of everything read: read = spans + rejected + skipped."""

    spans: int = 0
    rejects: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    repaired: Counter[str] = field(default_factory=Counter)
    formats: Counter[str] = field(default_factory=Counter)
    instrumentations: Counter[Instrumentation] = field(default_factory=Counter)

    def add(self, message: Decoded) -> None:
        """Count one message, or a run of them."""
        self.spans += message.count
        self.rejects.update(reject.reason for reject in message.rejects)
        self.skipped.update(message.skipped)
        self.repaired.update(message.repaired)
        self.formats[message.format] += message.count
        self.instrumentations.update(instrumentations(message))

    @property
    def read(self) -> int:
        """How many things the files held."""
        return self.spans + self.rejects.total() + self.skipped.total()

    def sentence(self) -> str:
        """The counts, for people."""
        parts = [f"{self.read} read", f"{self.spans} span{'' if self.spans == 1 else 's'}"]
        parts += [f"{n} rejected as {reason}" for reason, n in self.rejects.most_common()]
        parts += [f"{n} skipped as {reason}" for reason, n in self.skipped.most_common()]
        parts += [f"{name} unusable in {n}" for name, n in self.repaired.most_common()]
        return ", ".join(parts)

    def writers(self) -> str:
        """Return who wrote the spans, the most frequent first; empty where nothing but their format is known."""
        found = [one for one, _ in self.instrumentations.most_common() if one.version or one.name not in self.formats]
        more = f" and {len(found) - WRITERS} more" if len(found) > WRITERS else ""
        return ", ".join(map(str, found[:WRITERS])) + more

    def faults(self) -> list[str]:
        """Return in sentences what is known to be wrong with the spans where they are made."""
        found: dict[KnownFault, list[str]] = {}
        for one in self.instrumentations:
            for fault in known_faults(one):
                found.setdefault(fault, []).append(str(one))
        return [
            f"wrong at the source, {fault.affects.replace('_', ' ')} of {', '.join(names[:WRITERS])}: {fault.text}"
            for fault, names in found.items()
        ]

    def check(self, paths: Sequence[str]) -> None:
        """Raise BadData where nothing in `paths` could be read."""
        unread = self.rejects.total() + self.skipped["unrecognised"]
        if not self.spans and self.skipped.total() == self.skipped["unrecognised"]:
            why = "everything in it was rejected or not recognised" if unread else "there is nothing in it"
            raise BadData(f"{', '.join(paths)}: nothing could be read, {why}")
