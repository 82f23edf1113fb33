"""Answers that an exporter or a backend cut at its limit for the length of an attribute."""

from undertow_collectors.decode import frames

_LIMITS = frozenset(
    {2**n for n in range(7, 21)}
    | {2**n - 1 for n in range(8, 17)}
    | {n * 1_000 for n in (*range(1, 21), 25, 30, 32, 40, 50, 60, 64, 65, 75, 100, 120, 128, 200, 250, 256, 500)}
    | {250, 500, 1_500, 2_500, 3_072, 4_095, 6_144, 12_288, 20_480, 24_576, 49_152}
)
"""What limits of attributes are set to, in characters or bytes: `OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT` may be any
number, and people take round ones.
"""

_UTF8 = 3
"""Bytes that a limit in bytes may fall short by, where the next character takes more."""

_JSON = ("{", "[")
_GOES_ON = frozenset(",;:-–—(/&+=<\"' \t\n")
_SHORTEST = 1_000
"""Characters below which a text may well be as long as a limit by chance."""

_LONGEST_TOKENS = 5
"""Characters of a token: a text takes more tokens than it has such pieces, unless it is no language."""


def is_cut(text: str, tokens: int | None, finish: str | None) -> bool:
    """Return whether a text is only the beginning of an answer, of `tokens` without reasoning, that ended by `finish`.

    It is where JSON ends in the midst and is as long as a limit, or has fewer characters than it took tokens, although
    the model came to its end; and other text that is as long as a limit and stops in the midst of a sentence. Tokens
    alone prove nothing: reasoning that is not told is among them.
    """
    if text[:1] in _JSON:
        dense = finish != "length" and tokens is not None and tokens > len(text)
        return (dense or _is_limit(text)) and frames.is_cut(text)
    if len(text) < _SHORTEST or tokens is None or tokens * _LONGEST_TOKENS < len(text) or not _is_limit(text):
        return False
    return text[-1].isalnum() or text[-1] in _GOES_ON


def _is_limit(text: str) -> bool:
    if len(text) in _LIMITS:
        return True
    if len(text) < 128 or text.isascii():
        return False
    size = len(text.encode("utf-8", "replace"))
    return any(size + short in _LIMITS for short in range(_UTF8 + 1))
