"""What kind of failure a sentence, an error's type or a stack trace tells of; the words stay here.

Clients wrap what the provider said: Go's `*fmt.wrapError` has the status in its text (`Error 429, Message:`), Python's
types come as `<class 'openai.RateLimitError'>`.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from undertow.span import ErrorClass
from undertow_collectors.decode import names, providers

_STATUS = re.compile(r"\b[45]\d\d\b")
_KIND = re.compile(r"\b[A-Za-z]+(?:Error|Exception|Disconnected)\b")
_STACK = re.compile(r"(\w*(?:Error|Exception)\b.{0,2000}?)\n    at [^\n]+(?::\d+\)?|<anonymous>\))(?:\n|$)", re.DOTALL)
_TRACEBACK = "Traceback (most recent call last):\n"
_RAISED = re.compile(r"^ .*\n((?:\w+\.)*\w*(?:Error|Exception|Timeout|Interrupt|Disconnected)\b.*)$", re.MULTILINE)

_CAUSE = re.compile(r"^(?:Caused by: | ---> )(?:[\w$]+\.)*([\w$]+)(?: \(\d+\))?(?:: (.*))?", re.MULTILINE)
"""How the stack traces of Java and .NET name the exceptions behind the one that was thrown, the nearest one first."""

_QUOTED = re.compile(
    r"\b(?:error|code|status|http|statuscode|status_code|responded with|returned|failed with)(?:/1\.[01]|/2)?"
    r"(?: status| error| code)*[ :=('\"]{1,4}([45]\d\d)\b(?!\.)"
    r"|^[ \[('\"]*([45]\d\d)\b[ \])'\":,-]"
    r"|\(([45]\d\d)\)"
    r"|: ([45]\d\d)[ :,] ?[A-Z{]"
    r"|\[([45]\d\d) [A-Z]"
    r"|: ([45]\d\d)$",
    re.IGNORECASE | re.MULTILINE,
)
"""Where a sentence quotes an HTTP status."""

_NO_STATUS = re.compile(r"TransferEncodingError: \d{3}|ContentLengthError: \d{3}")
"""What aiohttp says of a body that broke off; the number is no answer's status."""

_PHRASES: dict[str, ErrorClass] = {
    "overloaded": "server_error",
    "too many requests": "rate_limited",
    "rate limit": "rate_limited",
    "exceeded your current quota": "rate_limited",
    "timed out": "timeout",
    "i/o timeout": "timeout",
    "deadline exceeded": "timeout",
    "unexpected eof": "connection",
    "unexpected end of ": "connection",
    "socket closed": "connection",
    "stream failed": "connection",
    "failed to process successful response": "connection",
    "payload is not completed": "connection",
    "transferencodingerror": "connection",
    "incomplete chunked read": "connection",
    "closed connection": "connection",
    "connection error": "connection",
    "connection reset": "connection",
    "connection refused": "connection",
    "broken pipe": "connection",
    "socket hang up": "connection",
    "premature close": "connection",
    "prematurely closed": "connection",
    "stream was reset": "connection",
    "fetch failed": "connection",
    "io exception": "connection",
    "no such host": "connection",
    "internal server error": "server_error",
    "service unavailable": "server_error",
    "bad gateway": "server_error",
    "server had an error": "server_error",
    "incorrect api key": "auth",
    "invalid api key": "auth",
    "unauthorized": "auth",
    "resource_exhausted": "rate_limited",
    "deadline_exceeded": "timeout",
    "unauthenticated": "auth",
    "permission_denied": "auth",
    "invalid_argument": "invalid_request",
}
"""What providers and clients say of a failure -> its class; the first that is found counts."""

_OF_PROVIDER = re.compile(r"\b(?:target|provider)[ :='\"]{1,3}([\w.-]+)|\b([\w.-]+) API error\b", re.IGNORECASE)
_WRAPS = ("MidStreamFallbackError",)
"""Errors' types that say when something happened, and not what: LiteLLM's of a stream that broke off, say."""
_DRESSED = re.compile(r"<(?:class|enum) '([^']+)'>")
_ABANDONED = (
    "abandoned stream",
    "stream abandoned",
    "client disconnected",
    "client closed",
    "context canceled",
    "request was aborted",
)
_SEARCHED = 500
_TRACED = 100_000


def told(sentence: str) -> dict[str, Any]:
    """Return the fields of a failed call that a sentence explains."""
    code, kind = _STATUS.search(_NO_STATUS.sub("", sentence)), _KIND.search(sentence)
    return {
        "status": "error",
        "http_status": int(code[0]) if code else None,
        "error_class": kind[0] if kind else sentence.replace(" ", "_") or None,
    }


def status_in(sentence: str) -> str | None:
    """Return the HTTP status of a failure that a sentence quotes, None where it quotes none."""
    if not sentence:
        return None
    found = _QUOTED.search(_NO_STATUS.sub("", sentence[:_SEARCHED]))
    return next(filter(None, found.groups())) if found else None


def bare(kind: str | None) -> str | None:
    """Return an error's type without what Python and Go put around it."""
    if kind is None:
        return None
    dressed = _DRESSED.fullmatch(kind.strip())
    return dressed[1] if dressed else kind.strip().lstrip("*")


def provider_in(sentence: str) -> str | None:
    """Return the one provider that a sentence says an error is of: `target openai: openai API error (429)`."""
    said = (name for found in _OF_PROVIDER.findall(sentence[:_SEARCHED]) for name in found if name)
    known = {found for name in said if (found := providers.known(name))}
    return known.pop() if len(known) == 1 else None


def class_in(sentence: str) -> ErrorClass | None:
    """Return the class of a failure by the phrases of a sentence, None where none of them is in it."""
    lower = sentence[:_SEARCHED].lower()
    return next((found for phrase, found in _PHRASES.items() if phrase in lower), None)


def class_of(kind: str | None, code: str | None, sentence: str, stacks: Iterable[str] = ()) -> ErrorClass:
    """Return the class of a failure by its type and code, else by its sentence, else by the causes in stack traces."""
    found = names.error_class(kind or sentence[:100], code)
    if found != "other" and not (kind or "").endswith(_WRAPS):
        return found
    said = class_in(sentence)
    return said if said is not None else next(_behind(stacks), found)


def _behind(stacks: Iterable[str]) -> Iterator[ErrorClass]:
    """The classes of the exceptions that caused the one that was thrown, where they say more than that one."""
    for kind, sentence in (cause for stack in stacks for cause in _causes(stack)):
        found = names.error_class(kind, status_in(sentence))
        if found == "other" and sentence:
            found = class_in(sentence) or names.error_class(sentence[:100], None)
        if found != "other":
            yield found


def _causes(stack: str) -> Iterator[tuple[str, str]]:
    """The type without its package, and the sentence, of each exception that a stack trace names as a cause."""
    return ((found[1], found[2] or "") for found in _CAUSE.finditer(stack[:_TRACED]))


def is_abandoned(sentence: str) -> bool:
    """Return whether a sentence says that the application left before the answer had ended."""
    lower = sentence[:_SEARCHED].lower()
    return bool(lower) and any(words in lower for words in _ABANDONED)


def raised(text: str) -> str | None:
    """The sentence of the exception whose stack trace a text begins with, the last one's of several; None without."""
    if text.startswith(_TRACEBACK):
        return next(reversed(_RAISED.findall(text[:_TRACED])), "")[:1000]
    stack = _STACK.match(text[:5000])
    return stack[1][:1000] if stack else None
