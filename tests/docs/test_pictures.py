"""The pictures of the documents."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from docs.pictures.lanes import LANES, draw

ROOT = Path(__file__).parents[2]
MOST_BYTES = 60_000


@pytest.mark.parametrize("lane", LANES)
def test_every_lane_has_a_picture(lane: str, tmp_path: Path) -> None:
    """Each lane's picture is drawn from its simulation, is small, and has a background of its own and a title."""
    path = draw(lane, tmp_path)
    assert path.stat().st_size < MOST_BYTES
    root = ET.fromstring(path.read_bytes())  # noqa: S314  it was just written here
    assert root.find("{*}rect").get("fill") == "white"
    assert any((text.text or "").lower().startswith(lane) for text in root.iter("{http://www.w3.org/2000/svg}text"))
    assert f"](images/{path.name})" in (ROOT / "docs" / "detection.md").read_text()


def test_every_picture_that_a_document_names_is_there() -> None:
    """Each image in a Markdown file exists and says in words what it shows."""
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
    named = [(d, *found) for d in documents for found in re.findall(r"!\[([^\]]*)\]\(([^)\s]+)\)", d.read_text())]
    assert len(named) > len(LANES)
    missing = [(d.name, path) for d, words, path in named if not words or not (d.parent / path).is_file()]
    assert missing == []
