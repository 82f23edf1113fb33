"""What a failing disk does to a batch of a real broker, which does not look at it again before it sends it."""

import struct
from collections.abc import Callable
from pathlib import Path

import crc32c

HEADER, LENGTH, CRC, ATTRIBUTES = 61, 12, 17, 21
"""Sizes and places in a batch of the current format, in bytes."""

Change = Callable[[bytearray], None]


def other_codec(batch: bytearray) -> None:
    """The number of a codec that Kafka does not have, with a checksum that agrees."""
    batch[ATTRIBUTES + 1] |= 7
    _signed(batch)


def garbage(batch: bytearray) -> None:
    """Records that no codec can have written, with a checksum that agrees."""
    batch[HEADER:] = b"\xff" * (len(batch) - HEADER)
    _signed(batch)


def flipped(batch: bytearray) -> None:
    """One byte is another."""
    batch[-3] ^= 0xFF


def damage(data: Path, topic: str, base_offset: int, change: Change) -> int:
    """Change the batch of partition 0 that begins at `base_offset` where it lies in `data`; gives the next one's."""
    with (data / f"{topic}-0" / f"{0:020}.log").open("r+b") as log:
        place = 0
        while header := log.read(HEADER):
            base, length = struct.unpack_from(">qi", header)
            size = LENGTH + length
            if base == base_offset:
                batch = bytearray(header + log.read(size - HEADER))
                change(batch)
                log.seek(place)
                log.write(batch)
                return base + 1 + int(struct.unpack_from(">i", header, 23)[0])
            place += size
            log.seek(place)
    raise AssertionError(f"no batch of {topic} begins at {base_offset}")


def _signed(batch: bytearray) -> None:
    struct.pack_into(">I", batch, CRC, crc32c.crc32c(bytes(batch[ATTRIBUTES:])))
