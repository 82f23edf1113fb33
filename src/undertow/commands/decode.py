"""`undertow decode`: what Undertow makes of a file, as JSONL."""

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from undertow import progress
from undertow.batch import Decoded, Origin
from undertow.commands.inputs import Tally, add_arguments, decoder, opened
from undertow.config import load
from undertow.span import Span

EXAMPLE = "undertow decode spans.jsonl.zst --rejects rejects.jsonl > normalised.jsonl"

_encode = msgspec.json.Encoder().encode


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_arguments(parser)
    parser.add_argument("--rejects", metavar="FILE", type=Path, help="write what could not become a span, with reasons")
    progress.add_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Write the spans to standard output and their count to standard error."""
    tally, decode = Tally(), decoder(args.format, load(args.config, os.environ))
    with ExitStack() as stack:
        bar = stack.enter_context(progress.bar(args.progress, "messages"))
        rejects = stack.enter_context(args.rejects.open("wb")) if args.rejects else None
        for message in chain.from_iterable(opened(args.paths)):
            decoded = decode(message)
            tally.add(decoded)
            _write(decoded, message.origin, rejects)
            bar.update()
    sys.stdout.flush()
    print(tally.sentence(), file=sys.stderr)  # noqa: T201
    tally.check(args.paths)
    return 0


def _write(decoded: Decoded, origin: Origin, rejects: BinaryIO | None) -> None:
    for span in decoded.spans:
        sys.stdout.buffer.write(_encode(known(span)) + b"\n")
    if rejects:
        rejects.writelines(_reject_lines(decoded, origin))


def known(span: Span) -> dict[str, Any]:
    """The fields of a span that are known."""
    return {name: value for name, value in msgspec.structs.asdict(span).items() if value is not None}


def _reject_lines(decoded: Decoded, origin: Origin) -> Iterator[bytes]:
    for reject in decoded.rejects:
        row = {name: getattr(reject, name) for name in ("index", "reason", "detail", "sha256", "length")}
        yield _encode({**origin._asdict(), **row}) + b"\n"
