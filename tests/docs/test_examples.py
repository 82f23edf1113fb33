"""The configurations that the documents show."""

from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("example", sorted((DOCS / "examples").iterdir()), ids=lambda path: path.name)
def test_a_document_shows_the_example_as_it_is(example: Path) -> None:
    """docs/shipping.md has each file of docs/examples word for word, and a link to it."""
    text = (DOCS / "shipping.md").read_text()
    assert f"\n```yaml\n{example.read_text()}```\n" in text
    assert f"](examples/{example.name})" in text
