"""Patterns of names, as filters of channels, silences and maintenance windows have them."""

import re
from fnmatch import fnmatchcase

_BRACKET = re.compile(r"\[[*?[]\]|\[")


def fits(name: str, pattern: str) -> bool:
    """Whether `pattern` fits all of `name`: `*` stands for any text, `?` for one character, all else for itself.

    `[*]`, `[?]` and `[[]` stand for what is inside; any other bracket is one, as in the model `claude-sonnet-4-5[1m]`.
    """
    return fnmatchcase(name, _BRACKET.sub(lambda found: found[0] if len(found[0]) > 1 else "[[]", pattern))
