"""What kind of failure a sentence, an error's type or a stack trace tells of; the words stay here.

Clients wrap what the provider said: Go's `*fmt.wrapError` has the status in its text (`Error 429, Message:`), Python's
types come as `<class 'openai.RateLimitError'>`.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from undertow.span import ErrorClass
from undertow_collectors.decode import names, providers

_STATUS = r"(4(?:0\d|1[0-8]|2[1-9]|31|49|51|9[5-9])|5(?:0\d|1[01]|2\d|30|9[89]))\b"
"""A number that is the status of an HTTP failure; `443` is a port."""

_NO_UNIT = r"(?! ?(?:tokens?|words?|characters?|chars|bytes|items?|requests?|times?|m?s|(?:milli)?seconds?|minutes?)\b)"
_KIND = re.compile(r"\b[A-Za-z]+(?:Error|Exception|Disconnected)\b")
_OPENS = re.compile(
    r"(?:(?:[\w$]+(?:\.|::))+[A-Z][\w$]*|[\w$]*(?:Error|Exception|Timeout|Disconnected|Exit))(?=: |:$|$)"
)
"""The error's type that a sentence begins with, as Python and Java print an exception."""

_BROKEN_OFF = re.compile(r"(?:^|: |, )(?:EOF|terminated)$")
"""How Go and Node's fetch say that a body broke off."""

_STACK = re.compile(r"(\w*(?:Error|Exception)\b.{0,2000}?)\n    at [^\n]+(?::\d+\)?|<anonymous>\))(?:\n|$)", re.DOTALL)
_TRACEBACK = "Traceback (most recent call last):\n"
_RAISED = re.compile(r"^ .*\n((?:\w+\.)*\w*(?:Error|Exception|Timeout|Interrupt|Disconnected)\b.*)$", re.MULTILINE)

_CAUSE = re.compile(r"^(?:Caused by: | ---> )(?:[\w$]+\.)*([\w$]+)(?: \(\d+\))?(?:: (.*))?", re.MULTILINE)
"""How the stack traces of Java and .NET name the exceptions behind the one that was thrown, the nearest one first."""

_QUOTED = re.compile(
    r"\b(?i:(?:error|code|status|http|statuscode|status_code|responded with|returned|failed with)(?:/1\.[01]|/2)?"
    rf"(?: status| error| code)*[ :=('\"]{{1,4}}){_STATUS}(?!\.\d){_NO_UNIT}"
    rf"|^[ \[('\"]*{_STATUS}[ \])'\":,-]{_NO_UNIT}"
    rf"|\({_STATUS}\)"
    rf"|: {_STATUS}[ :,] ?[A-Z{{(]"
    rf"|\[{_STATUS} [A-Z]"
    rf"|: {_STATUS}$",
    re.MULTILINE,
)
"""Where a sentence quotes an HTTP status."""

_NO_STATUS = re.compile(
    r"(?:TransferEncoding|ContentLength)Error: \d{3}|\b\d{3}, message[:=]\s*'?Not enough data to satisfy"
)
"""What aiohttp says of a body that broke off; the number is no answer's status."""

_SAID: tuple[tuple[ErrorClass, str], ...] = (
    ("server_error", "overloaded"),
    (
        "rate_limited",
        (
            "too many requests|rate limit|rate_limit|exceeded your current quota|"
            "resource_exhausted|resourceexhausted|quota exceeded"
        ),
    ),
    (
        "timeout",
        (
            "timed out|i/o timeout|handshake timeout|deadline exceeded|deadline_exceeded|"
            "deadlineexceeded|etimedout|due to timeout|httpclient.timeout"
        ),
    ),
    (
        "connection",
        (
            "unexpected eof|unexpected end of |socket closed|stream failed|"
            "payload is not completed|failed to process successful response|"
            "transferencodingerror|not enough data to satisfy|incomplete chunked read|"
            "incompletemessage|incompleteread|ended prematurely|closed connection|"
            "connection closed|closed the connection|other side closed|server disconnected|"
            "peer closed|connection error|connection reset|connection refused|connection aborted|"
            "connection broken|econnreset|econnrefused|econnaborted|epipe|enotfound|eai_again|"
            "broken pipe|socket hang up|premature close|prematurely closed|stream was reset|"
            "stream error: stream id|goaway|fetch failed|io exception|no such host|"
            "name resolution|name or service not known|network is unreachable|no route to host|"
            "error sending request|could not connect|cannot connect|failed to connect|"
            "connect call failed|x509: |[ssl: |pkix path|certificate verify failed|ssl handshake"
        ),
    ),
    ("server_error", "internal server error|service unavailable|bad gateway|server had an error"),
    (
        "auth",
        (
            "incorrect api key|invalid api key|invalid x-api-key|unauthorized|unauthenticated|"
            "permission_denied|permissiondenied"
        ),
    ),
    (
        "invalid_request",
        (
            "invalid_argument|invalidargument|maximum context length|context_length_exceeded|"
            "input is too long|prompt is too long"
        ),
    ),
    ("timeout", "timeout"),
    ("connection", "i/o error"),
)
_PHRASES = {phrase: found for found, phrases in _SAID for phrase in phrases.split("|")}
"""What providers and clients say of a failure -> its class; the first that is found counts."""

_OF_PROVIDER = re.compile(r"\b(?:target|provider)[ :='\"]{1,3}([\w.-]+)|\b([\w.-]+) API error\b", re.IGNORECASE)
_WRAPS = ("MidStreamFallbackError", "IoException")
"""Errors' types that say when something happened, and not what: LiteLLM's of a stream that broke off, say, or what
clients of Java throw of any failure below HTTP. What stands beside or behind them says more.
"""
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
    code, kind = status_in(sentence), _KIND.search(sentence)
    if is_abandoned(sentence) or names.is_disconnect(type_in(sentence)):
        return {"status": "cancelled"}
    return {
        "status": "error",
        "http_status": int(code) if code else None,
        "error_class": class_of(kind[0] if kind else None, code, sentence) if sentence else None,
    }


def status_in(sentence: str) -> str | None:
    """Return the HTTP status of a failure that a sentence quotes, None where it quotes none."""
    if not sentence:
        return None
    said = sentence[len(type_in(sentence) or "") :].lstrip(": ")
    found = _QUOTED.search(_NO_STATUS.sub("", said[:_SEARCHED]))
    return next(filter(None, found.groups())) if found else None


def bare(kind: str | None) -> str | None:
    """Return an error's type without what Python and Go put around it."""
    if kind is None:
        return None
    dressed = _DRESSED.fullmatch(kind.strip())
    return dressed[1] if dressed else kind.strip().lstrip("*")


def type_in(sentence: str) -> str | None:
    """Return the error's type that a sentence begins with, None where it begins with none."""
    found = _OPENS.match(sentence)
    return found[0] if found else None


def provider_in(sentence: str) -> str | None:
    """Return the one provider that a sentence says an error is of: `target openai: openai API error (429)`."""
    said = (name for found in _OF_PROVIDER.findall(sentence[:_SEARCHED]) for name in found if name)
    known = {found for name in said if (found := providers.known(name))}
    return known.pop() if len(known) == 1 else None


def class_in(sentence: str) -> ErrorClass | None:
    """Return the class of a failure by the phrases of a sentence, else by a type that it names; None without one."""
    lower = sentence[:_SEARCHED].lower()
    said = next((found for phrase, found in _PHRASES.items() if phrase in lower), None)
    if said is not None or _BROKEN_OFF.search(sentence[:_SEARCHED]):
        return said or "connection"
    named = (names.error_class(kind, None) for kind in _KIND.findall(sentence[:_SEARCHED]) if kind != "APIError")
    return next((found for found in named if found != "other"), None)


def class_of(kind: str | None, code: str | None, sentence: str, stacks: Iterable[str] = ()) -> ErrorClass:
    """Return the class of a failure by its type and code, else by its sentence, else by the causes in stack traces."""
    found = names.error_class(kind, code)
    if found != "other" and not (kind or "").endswith(_WRAPS):
        return found
    said = class_in(sentence) or (None if kind else names.error_class(sentence[:100], None))
    if said is not None and said != "other":
        return said
    return next(_behind(stacks), None) or class_in(kind or "") or found


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
    if not lower:
        return False
    return any(words in lower for words in _ABANDONED) and not is_timeout(sentence)


def is_timeout(sentence: str) -> bool:
    """Return whether a sentence says that time was up, which is what many clients then cancel a request for."""
    return class_in(sentence) == "timeout"


def raised(text: str) -> str | None:
    """The sentence of the exception whose stack trace a text begins with, the last one's of several; None without."""
    if text.startswith(_TRACEBACK):
        return next(reversed(_RAISED.findall(text[:_TRACED])), "")[:1000]
    stack = _STACK.match(text[:5000])
    return stack[1][:1000] if stack else None
