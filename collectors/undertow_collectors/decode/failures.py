"""What kind of failure a sentence tells of, or the traceback of a Python program; its words stay here."""

import re
from typing import Any

_STATUS = re.compile(r"\b[45]\d\d\b")
_KIND = re.compile(r"\b[A-Za-z]+(?:Error|Exception|Disconnected)\b")
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
    """The sentence of the exception at the end of a text's tracebacks, None where the text begins with none."""
    if not text.startswith(_TRACEBACK):
        return None
    return next(reversed(_RAISED.findall(text[:100_000])), "")[:1000]
