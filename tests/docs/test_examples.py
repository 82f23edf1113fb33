"""The configurations that the documents show."""

from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("example", sorted((DOCS / "examples").iterdir()), ids=lambda path: path.name)
def test_a_document_shows_the_example_as_it_is(example: Path) -> None:
    """A document links to each file of docs/examples, and has it word for word."""
    texts = [document.read_text() for document in DOCS.glob("*.md")]
    linking = [text for text in texts if f"](examples/{example.name})" in text]
    assert linking
    assert all(f"\n```yaml\n{example.read_text()}```\n" in text for text in linking)
