"""The shape of an answer's text: lists, markdown, code fences. Each look is linear in the text."""

import re

SHAPED = 65_536
"""Characters that are looked at."""

_ITEM = re.compile(r"\n[ \t]{0,8}(?:[-*+•]|\d{1,2}[.)])[ \t]+\S")
_HEADING = re.compile(r"\n#{1,6} \S")
_BOLD = re.compile(r"\*\*[^\s*][^*\n]*\*\*")
_CODE = re.compile(r"`[^`\n]+`")
_RULE = re.compile(r"\n[ \t]{0,8}\|[ \t:]*-[-:| \t]*\n")
_FENCE = re.compile(r"\n[ \t]{0,8}```")


def shape(text: str) -> dict[str, bool]:
    """`list` (two items or more), `markdown` (headings, bold, links, tables, code) and `code_fence`."""
    lines, ticks = "\n" in text, "`" in text
    if not lines and not ticks and "*" not in text and "[" not in text and text[:1] != "#":
        return {"list": False, "markdown": False, "code_fence": False}
    head = "\n" + text[:SHAPED]
    fence = ticks and _FENCE.search(head) is not None
    markdown = fence or (ticks and _CODE.search(head) is not None) or _has_markup(head)
    return {"list": lines and _has_list(head), "markdown": markdown, "code_fence": fence}


def _has_list(head: str) -> bool:
    first = _ITEM.search(head)
    return first is not None and _ITEM.search(head, first.end()) is not None


def _has_markup(head: str) -> bool:
    return (
        ("**" in head and _BOLD.search(head) is not None)
        or "](http" in head
        or ("\n#" in head and _HEADING.search(head) is not None)
        or ("\n|" in head and _RULE.search(head) is not None)
    )
