"""The documents say what the code does."""

import json
import re
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from undertow import spandoc
from undertow.batch import Origin
from undertow.span import FIELDS
from undertow_collectors.decode.context import Context
from undertow_collectors.decode.fieldmap import FieldMap, always, at
from undertow_collectors.decode.jsonlog import Call, JsonLog
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


def test_the_formats_in_four_steps_decode() -> None:
    """The module that collectors/README.md shows is one: its table and its function give a span and a skip."""
    shown = (ROOT / "collectors" / "README.md").read_text().partition("```python\n")[2].partition("```")[0]
    given: dict[str, Any] = {"FieldMap": FieldMap, "JsonLog": JsonLog, "at": at, "always": always}
    given |= {"Any": Any, "Call": Call, "Iterable": Iterable}
    exec(compile(textwrap.dedent(shown), "collectors/README.md", "exec"), given)  # noqa: S102  our own document
    call = {"id": "a", "model": "m", "ms": 1500, "outcome": "BAD"}
    value = json.dumps([{"time": 1_790_000_000_000, "call": call}, {"time": 1}]).encode()
    decoded = given["decode"](value, Context(Origin("t", 0, 0)))
    (span,) = decoded.spans
    assert (span.span_id, span.started_at, span.duration_s, span.status) == ("a", 1.79e9, 1.5, "error")
    assert decoded.skipped == {"not_llm_call": 1}


def test_every_reason_is_documented() -> None:
    """Each reason a decoder gives stands in docs/formats.md."""
    source = "".join(path.read_text() for path in DECODE.glob("*.py"))
    reasons = set(re.findall(r'Reject(?:ed)?\(\s*"(\w+)"', source)) | set(re.findall(r'skipped\["(\w+)"\]', source))
    reasons -= {name for name in reasons if name.startswith(("missing_", "invalid_started_at"))}
    text = (ROOT / "docs" / "formats.md").read_text()
    assert len(reasons) > 10
    assert {name for name in reasons if f"`{name}`" not in text} == set()
