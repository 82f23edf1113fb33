"""Files as messages, in every shape people keep them."""

import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from undertow.batch import Origin
from undertow.errors import BadData, StoreError
from undertow_collectors import files

ROWS = [b'{"a": 1}', b'{"a": 2}', b'{"a": "\xc3\xa4"}']
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "": lambda value: value,
    ".gz": gzip.compress,
    ".zst": zstandard.ZstdCompressor().compress,
}


def values(path: Path | str) -> list[bytes]:
    """The values of a file's messages."""
    return [message.value for message in files.messages(str(path))]


@pytest.mark.parametrize("suffix", PACKERS)
@pytest.mark.parametrize(
    "body",
    [
        b"\n".join(ROWS),
        b"\n".join(ROWS) + b"\n",
        b"\r\n".join(ROWS) + b"\r\n\r\n",
        b"\xef\xbb\xbf" + b"\n".join(ROWS),
        b"\n\n" + b"\n\n".join(ROWS),
        b"[" + b",".join(ROWS) + b"]",
        b" \n[\n  " + b",\n  ".join(ROWS) + b"\n]\n",
    ],
)
def test_a_message_for_each_row(tmp_path: Path, suffix: str, body: bytes) -> None:
    """Lines and elements are messages, plain or packed, whatever the line ends."""
    path = tmp_path / f"log.jsonl{suffix}"
    path.write_bytes(PACKERS[suffix](body))
    assert values(path) == ROWS


def test_origins_count_the_messages(tmp_path: Path) -> None:
    """A message comes from `file:NAME`, at its own place."""
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"\n".join(ROWS))
    assert [m.origin for m in files.messages(str(path))] == [Origin("file:log.jsonl", 0, i) for i in range(3)]


def test_one_object_over_several_lines(tmp_path: Path) -> None:
    """A pretty-printed object is one message."""
    path = tmp_path / "one.json"
    path.write_text(json.dumps({"a": {"b": [1, 2]}}, indent=2))
    assert [json.loads(value) for value in values(path)] == [{"a": {"b": [1, 2]}}]


def test_a_broken_line_is_a_message_like_the_others(tmp_path: Path) -> None:
    """Broken lines go on to the decoder, first ones too, and take no others along."""
    path = tmp_path / "log.jsonl"
    for broken in (b'{"a": ', b"{}}"):
        path.write_bytes(b"\n".join([broken, *ROWS, broken, ROWS[0]]))
        assert values(path) == [broken.strip(), *ROWS, broken.strip(), ROWS[0]] or values(path)[1:4] == ROWS


def test_a_broken_array_goes_by_the_line(tmp_path: Path) -> None:
    """What begins like an array and is none still reaches the decoder."""
    path = tmp_path / "log.json"
    path.write_bytes(b'[{"a": 1},')
    assert values(path) == [b'[{"a": 1},']


@pytest.mark.parametrize("name", ["traces.pb", "traces.bin", "traces.pb.gz", "traces.otlp.pb.zst", "traces"])
def test_protobuf_is_one_message(tmp_path: Path, name: str) -> None:
    """A protobuf file is one message, by its name or because it is no JSON."""
    path = tmp_path / name
    body = b"\x0a\x03\x0a\x01\n{}\n\n"
    path.write_bytes(PACKERS[path.suffix if path.suffix in PACKERS else ""](body))
    assert values(path) == [body]


def test_a_protobuf_file_that_begins_like_json(tmp_path: Path) -> None:
    """`.pb` is protobuf whatever its first byte."""
    path = tmp_path / "x.pb"
    path.write_bytes(b"{\n{\n")
    assert values(path) == [b"{\n{\n"]


def test_standard_input() -> None:
    """`-` reads standard input, packed too."""
    found = list(files.messages("-", stdin=io.BytesIO(gzip.compress(b"\n".join(ROWS)))))
    assert [m.value for m in found] == ROWS
    assert found[0].origin.topic == "file:stdin"


def test_empty_files_hold_nothing(tmp_path: Path) -> None:
    """An empty file, and one of blank lines, hold no message."""
    for body in (b"", b"\n \n"):
        path = tmp_path / "empty.jsonl"
        path.write_bytes(body)
        assert values(path) == []


def test_gzip_members_and_zstd_frames_follow_each_other(tmp_path: Path) -> None:
    """Logs that were appended to while packed are read to their end."""
    for suffix in (".gz", ".zst"):
        path = tmp_path / f"log{suffix}"
        path.write_bytes(b"".join(PACKERS[suffix](row + b"\n") for row in ROWS))
        assert values(path) == ROWS


def test_a_line_without_end_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line past the limit is passed on one byte too long, the rest of it skipped, and reading goes on."""
    monkeypatch.setattr(files, "MAX_LINE_BYTES", 100)
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"\n".join([ROWS[0], b"{" + b"x" * 5000, ROWS[1]]))
    found = values(path)
    assert [len(found), len(found[1])] == [3, 101]
    assert (found[0], found[2]) == (ROWS[0], ROWS[1])


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    """A file that cannot be read is named, with the reason."""
    with pytest.raises(StoreError, match=r"nothing\.jsonl cannot be read: No such file"):
        values(tmp_path / "nothing.jsonl")
    with pytest.raises(StoreError, match="Is a directory"):
        values(tmp_path)


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
@pytest.mark.parametrize("cut", [b"", b"\xff" * 400])
def test_damaged_compression_is_named(tmp_path: Path, suffix: str, cut: bytes) -> None:
    """A packed file that was cut off or overwritten is bad data, and says so."""
    path = tmp_path / f"log.jsonl{suffix}"
    noise = b"\n".join(b'{"a": %d}' % (i * i) for i in range(20_000))
    packed = PACKERS[suffix](noise)
    path.write_bytes(packed[: len(packed) // 2] + cut)
    with pytest.raises(BadData, match="damaged"):
        values(path)
