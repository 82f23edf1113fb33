"""Files and standard input as messages: JSONL, JSON arrays, single objects, raw OTLP protobuf, gzip or zstd of these.

What a file holds is told from its first bytes; `.pb` and `.bin` are taken for protobuf whatever they begin with. A
line is a message, an element of an array is a message, a protobuf file is one message. Offsets count them from 0.
"""

import io
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import msgspec

from undertow.batch import Message, Origin
from undertow.errors import BadData, StoreError
from undertow_collectors.decode.strictjson import BOM, looks_like_json
from undertow_collectors.unpack import DAMAGED, Stream, buffered, unpacked

MAX_LINE_BYTES = 64 * 2**20
"""A longer line is passed on cut, one byte past this, so that the decoder refuses it by its length."""

_PROTOBUF = (".pb", ".bin")
_PACKED = (".gz", ".gzip", ".zst", ".zstd")
_raws = msgspec.json.Decoder(list[msgspec.Raw])


def messages(path: str, stdin: BinaryIO | None = None) -> Iterator[Message]:
    """The messages of the file at `path`, or of standard input for `-`, in order.

    Raises StoreError where the file cannot be read, BadData where its compression is damaged; what came before is out.
    """
    name = "stdin" if path == "-" else Path(path).name
    try:
        with ExitStack() as stack:
            raw = (stdin or sys.stdin.buffer) if path == "-" else stack.enter_context(Path(path).open("rb"))
            for offset, value in enumerate(_values(unpacked(raw), _is_protobuf(path))):
                yield Message(Origin(f"file:{name}", 0, offset), value)
    except DAMAGED as error:
        how = "end too early" if isinstance(error, EOFError) else "are damaged"
        raise BadData(f"{path}: the compressed data {how}; fetch the file again") from error
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror or error}") from error


def _is_protobuf(path: str) -> bool:
    found = Path(path)
    while found.suffix.lower() in _PACKED:
        found = found.with_suffix("")
    return found.suffix.lower() in _PROTOBUF


def _values(stream: Stream, is_protobuf: bool) -> Iterator[bytes]:
    if stream.peek(3).startswith(BOM):
        stream.read(3)
    start = stream.peek(1)
    if is_protobuf or not looks_like_json(start):
        yield from filter(bytes.strip, [stream.read()])
    elif start.lstrip()[:1] == b"[":
        yield from _elements(stream.read())
    else:
        yield from _lines(stream)


def _elements(value: bytes) -> Iterator[bytes]:
    """The elements of an array; what is no array, or two of them, goes on whole or by the line."""
    try:
        yield from map(bytes, _raws.decode(value))
    except (ValueError, RecursionError):
        yield from _lines(buffered(io.BytesIO(value)))


def _lines(stream: Stream) -> Iterator[bytes]:
    """A message for each line, or one for all where the first line is the beginning of an object over several lines."""
    first = _line(stream)
    if first and not _is_whole(first):
        rest = stream.read()
        if _is_whole(first + rest):
            yield first + rest
            return
        stream = buffered(io.BytesIO(rest))
    while first:
        if first.strip():
            yield first.rstrip(b"\r\n")
        first = _line(stream)


def _line(stream: Stream) -> bytes:
    line = stream.readline(MAX_LINE_BYTES + 1)
    if len(line) > MAX_LINE_BYTES and not line.endswith(b"\n"):
        while (rest := stream.readline(MAX_LINE_BYTES)) and not rest.endswith(b"\n"):
            pass
    return line


def _is_whole(value: bytes) -> bool:
    try:
        msgspec.json.decode(value)
    except (ValueError, RecursionError):
        return False
    return True
