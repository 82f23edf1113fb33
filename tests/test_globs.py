"""What a pattern of a name fits."""

import glob

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.globs import fits


@pytest.mark.parametrize(
    ("name", "pattern", "expected"),
    [
        ("gpt-4o", "gpt-*", True),
        ("gpt-4o", "gpt-4?", True),
        ("gpt-4o", "GPT-*", False),
        ("gpt-4o", "gpt", False),
        ("claude-sonnet-4-5[1m]", "claude-sonnet-4-5[1m]", True),
        ("claude-sonnet-4-5[1m]", "claude-*[1m]", True),
        ("claude-sonnet-4-51", "claude-sonnet-4-5[1m]", False),
        ("llama[!q]", "llama[!q]", True),
        ("a*b", "a[*]b", True),
        ("axb", "a[*]b", False),
        ("a[b", "a[[]b", True),
    ],
)
def test_stars_and_question_marks_alone_stand_for_something_else(name: str, pattern: str, expected: bool) -> None:
    """Names of models hold brackets, which a filter or a silence by the whole name has to fit."""
    assert fits(name, pattern) == expected


@given(st.text(alphabet="ab[]!*?-"))
def test_an_escaped_name_fits_itself_alone(name: str) -> None:
    """As the dashboard silences one target."""
    assert fits(name, glob.escape(name))
    assert not fits(f"{name}a", glob.escape(name))


@given(st.text(alphabet="ab[]!-"))
def test_a_name_without_stars_fits_itself(name: str) -> None:
    """As a person writes it down; two brackets in a row may be an escape."""
    assert fits(name, name) or "[[]" in name
