"""gzip and zstd as plain streams, told from their first bytes, read piece by piece and checked to their end."""

import gzip
import io
import zlib
from typing import Any, TypeAlias

import zstandard

Stream: TypeAlias = "io.BufferedReader[Any]"
DAMAGED = (EOFError, zlib.error, zstandard.ZstdError, gzip.BadGzipFile)
"""What reading a damaged or cut stream raises."""

_CHUNK = 1024
"""Bytes handed to zstd at once; at its best ratio they become some 40 MiB."""


def unpacked(raw: Any) -> Stream:
    """`raw`, a binary stream, without its compression; several gzip members or zstd frames are read as one."""
    stream = buffered(raw)
    start = stream.peek(4)[:4]
    if start.startswith(b"\x1f\x8b"):
        return buffered(gzip.GzipFile(fileobj=stream))
    return buffered(_Zstd(stream)) if start == b"\x28\xb5\x2f\xfd" else stream


def buffered(raw: Any) -> Stream:
    """`raw` with `peek`."""
    return raw if isinstance(raw, io.BufferedReader) else io.BufferedReader(raw)


class _Zstd(io.RawIOBase):
    """Zstandard's own reader takes a stream that was cut off for one that ended; this one raises EOFError."""

    def __init__(self, raw: Stream) -> None:
        self._raw = raw
        self._frame: Any = None
        self._packed = b""
        self._plain = io.BytesIO()

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        while not (count := self._plain.readinto(into)):
            self._packed = self._packed or self._raw.read(_CHUNK)
            if not self._packed:
                if self._frame is not None:
                    raise EOFError("the last zstd frame is not whole")
                return 0
            self._frame = self._frame or zstandard.ZstdDecompressor().decompressobj()
            self._plain = io.BytesIO(self._frame.decompress(self._packed))
            self._packed = self._frame.unused_data
            if self._frame.eof:
                self._frame = None
        return count
