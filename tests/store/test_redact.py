"""What must not be kept of a message, and what looks like it."""

import pytest

from undertow.batch import Batch, Decoded, Origin, Reject
from undertow.config import StoreConfig
from undertow.store import Store
from undertow.store.redact import MARK, redact


@pytest.mark.parametrize(
    "secret",
    [
        b"jane.doe+x@mail.example.org",
        b"sk-proj-abcdefghijklmnop0123",
        b"ghp_0123456789abcdefghij",
        b"Bearer eyJhbGciOi.J9.abc-_",
        b"AKIAIOSFODNN7EXAMPLE",
        b"4111 1111 1111 1111",
        b"5555-5555-5555-4444",
    ],
)
def test_secret_is_taken_out(secret: bytes) -> None:
    """Addresses, keys and card numbers go; what stands around them stays."""
    assert redact(b'{"a": "' + secret + b'", "b": 1}') == b'{"a": "' + MARK + b'", "b": 1}'


@pytest.mark.parametrize(
    "text", [b'"time": 1767571221700000001', b"gpt-4o-2024-11-20", b"a @ b.c", b"0123456789abcdef", b"\xff\x00\xfe"]
)
def test_the_rest_stays(text: bytes) -> None:
    """Times, model names, ids and bytes that are no text are left alone."""
    assert redact(text) == text


@pytest.mark.parametrize(("wanted", "kept"), [(True, MARK), (False, b"jane@example.org")])
def test_kept_payload(wanted: bool, kept: bytes) -> None:
    """The store redacts what it keeps, unless the operator turned that off."""
    batch = Batch()
    batch.add(Origin("t", 0, 0), Decoded(rejects=[Reject("invalid_json", payload=b"jane@example.org")]))
    with Store.open(None, config=StoreConfig(keep_text=True, redact=wanted)) as store:
        store.ingest(batch)
        assert store._writer.execute("SELECT payload FROM rejects").fetchall() == [(kept,)]
