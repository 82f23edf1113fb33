"""The documents say what the code does."""

import re
from pathlib import Path

from undertow import spandoc
from undertow.span import FIELDS
from undertow_collectors.decode.registry import FORMATS

ROOT = Path(__file__).parents[3]
DECODE = ROOT / "collectors" / "undertow_collectors" / "decode"


def test_span_md_is_current() -> None:
    """docs/span.md is what `python -m undertow.spandoc` writes now."""
    assert (ROOT / "docs" / "span.md").read_text() == spandoc.markdown()


def test_span_md_names_every_field() -> None:
    """Every field of the span has a row."""
    assert all(f"| {field.name} |" in spandoc.markdown() for field in FIELDS)


def test_every_format_is_documented() -> None:
    """Each name of a format stands in docs/formats.md, in the table and in a heading."""
    text = (ROOT / "docs" / "formats.md").read_text()
    headings = " ".join(re.findall("^## (.*)$", text, re.MULTILINE))
    assert all(f"| `{name}` |" in text and name in headings for name in FORMATS)


def test_every_reason_is_documented() -> None:
    """Each reason a decoder gives stands in docs/formats.md."""
    source = "".join(path.read_text() for path in DECODE.glob("*.py"))
    reasons = set(re.findall(r'Reject(?:ed)?\(\s*"(\w+)"', source)) | set(re.findall(r'skipped\["(\w+)"\]', source))
    reasons -= {name for name in reasons if name.startswith(("missing_", "invalid_started_at"))}
    text = (ROOT / "docs" / "formats.md").read_text()
    assert len(reasons) > 10
    assert {name for name in reasons if f"`{name}`" not in text} == set()
