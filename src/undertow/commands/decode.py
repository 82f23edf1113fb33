"""`undertow decode`: what Undertow makes of a file, as JSONL, or explained."""

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec

from undertow import progress
from undertow.batch import Decoded, Message, Origin
from undertow.clock import system_clock
from undertow.commands import explain
from undertow.commands.inputs import STDIN, Tally, add_arguments, decoder, opened
from undertow.errors import UsageError
from undertow.loading import load
from undertow.span import Span
from undertow_collectors.decode.provenance import Provenance

EXAMPLE = "undertow decode spans.jsonl.zst --rejects rejects.jsonl > normalised.jsonl"

_encode = msgspec.json.Encoder().encode


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_arguments(parser)
    parser.add_argument(
        "--explain", action="store_true", help="say of each field where its value came from, and what nobody reads"
    )
    parser.add_argument("--json", action="store_true", help="with --explain: one JSON object a record, for programs")
    parser.add_argument("--rejects", metavar="FILE", type=Path, help="write what could not become a span, with reasons")
    progress.add_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Write the spans to standard output and their count to standard error."""
    if args.json and not args.explain:
        raise UsageError("--json goes with --explain; without it every line is JSON already")
    tally, decode = Tally(), decoder(args.format, load(args.config, os.environ))
    with ExitStack() as stack:
        bar = stack.enter_context(progress.bar(args.progress, "messages"))
        rejects = stack.enter_context(args.rejects.open("wb")) if args.rejects else None
        for message in chain.from_iterable(map(_dated, args.paths, opened(args.paths))):
            sources = Provenance() if args.explain else None
            decoded = decode(message, sources=sources)
            tally.add(decoded)
            if sources is not None:
                _explain(decoded, message.origin, sources, args.json)
            else:
                _write(decoded)
            if rejects:
                rejects.writelines(_reject_lines(decoded, message.origin))
            bar.update()
    sys.stdout.flush()
    writers = tally.writers()
    written = [f"written by {writers}"] if writers else []
    print(*(tally.sentence(), *written, *tally.faults()), sep="\n", file=sys.stderr)  # noqa: T201
    tally.check(args.paths)
    return 0


def _dated(path: str, messages: Iterator[Message]) -> Iterator[Message]:
    """Messages with the time that the file was written, in place of Kafka's, for records that need one."""
    written = system_clock() if path == STDIN else Path(path).stat().st_mtime
    return (replace(message, timestamp_s=written) for message in messages)


def _write(decoded: Decoded) -> None:
    for span in decoded.spans:
        sys.stdout.buffer.write(_encode(known(span)) + b"\n")


def _explain(decoded: Decoded, origin: Origin, sources: Provenance, as_json: bool) -> None:
    for record in explain.records(decoded, sources):
        if as_json:
            sys.stdout.buffer.write(_encode(explain.as_object(record, origin, decoded.format)) + b"\n")
        else:
            sys.stdout.buffer.write(explain.as_text(record, origin, decoded.format).encode("utf-8", "replace") + b"\n")


def known(span: Span) -> dict[str, Any]:
    """The fields of a span that are known."""
    return {name: value for name, value in msgspec.structs.asdict(span).items() if value is not None}


def _reject_lines(decoded: Decoded, origin: Origin) -> Iterator[bytes]:
    for reject in decoded.rejects:
        row = {name: getattr(reject, name) for name in ("index", "reason", "detail", "sha256", "length")}
        yield _encode({**origin._asdict(), **row}) + b"\n"
