"""What kind of failure a sentence tells of, or a stack trace of Python or JavaScript; the words stay here."""

import re
from typing import Any

_STATUS = re.compile(r"\b[45]\d\d\b")
_KIND = re.compile(r"\b[A-Za-z]+(?:Error|Exception|Disconnected)\b")
_STACK = re.compile(r"(\w*(?:Error|Exception)\b.{0,2000}?)\n    at [^\n]+(?::\d+\)?|<anonymous>\))(?:\n|$)", re.DOTALL)
_TRACEBACK = "Traceback (most recent call last):\n"
_RAISED = re.compile(r"^ .*\n((?:\w+\.)*\w*(?:Error|Exception|Timeout|Interrupt|Disconnected)\b.*)$", re.MULTILINE)


def told(sentence: str) -> dict[str, Any]:
    """The fields of a failed call that a sentence explains."""
    code, kind = _STATUS.search(sentence), _KIND.search(sentence)
    return {
        "status": "error",
        "http_status": int(code[0]) if code else None,
        "error_class": kind[0] if kind else sentence.replace(" ", "_") or None,
    }


def raised(text: str) -> str | None:
    """The sentence of the exception whose stack trace a text begins with, the last one's of several; None without."""
    if text.startswith(_TRACEBACK):
        return next(reversed(_RAISED.findall(text[:100_000])), "")[:1000]
    stack = _STACK.match(text[:5000])
    return stack[1][:1000] if stack else None
