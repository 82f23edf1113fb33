"""Whether the name that a log gives for the model that answered declares one, or only repeats what was asked for."""

import re
from functools import lru_cache

_REGION = re.compile(r"^(?:us|eu|apac|au|ca|jp|sa|us-gov|global)\.")
_VENDOR = re.compile(r"^(?:ai21|amazon|anthropic|cohere|deepseek|google|meta|mistral|openai|qwen|stability|writer)\.")
_PART = re.compile(r"\.(?:chat|responses|messages|completions?)$")
_VARIANT = re.compile(r":(?:free|nitro|floor|extended|thinking|online|beta)$")
_DATED = re.compile(r"\d{4}-\d\d-\d\d|\d{8}|[-@]\d{3,4}$|@\d")
"""What the names of snapshots have and those of aliases lack: a date, or a short revision such as `-0613`, `@001`."""


@lru_cache(4096)
def bare(name: str) -> str:
    """Return a model's name without what gateways put around it: path, region, vendor, part of the API, variant."""
    found = name.strip().lower().rpartition("/")[2]
    for around in (_REGION, _VENDOR, _PART, _VARIANT):
        found = around.sub("", found)
    return found


@lru_cache(4096)
def is_alias(declared: str, asked: str, sent: str | None) -> bool:
    """Return whether a served name says no more than what was asked for, by the application or by the gateway.

    A snapshot that the gateway asked for by its full name is one all the same: it declares that it answered.
    """
    name = bare(declared)
    if name == bare(asked):
        return True
    return sent is not None and name == bare(sent) and not _DATED.search(name)
