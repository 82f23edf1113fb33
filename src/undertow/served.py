"""Whether the name that a log gives for the model that answered declares one, or only repeats what was asked for."""

import re
from functools import lru_cache

_REGION = re.compile(r"^(?:us|eu|apac|au|ca|jp|mx|sa|us-gov|global|[a-z]{2}(?:-[a-z]+)+-\d)\.")
_VENDOR = re.compile(
    r"^(?:ai21|amazon|anthropic|azure|bedrock|cohere|deepseek|fireworks|gemini|google|groq|luma|meta|minimax|mistral|"
    r"moonshot(?:ai)?|nvidia|ollama|openai|openrouter|perplexity|qwen|stability|together|twelvelabs|vertex_ai|vertexai|"
    r"writer|x-?ai|zai)[.:]"
)
_PART = re.compile(r"\.(?:chat|responses|messages|completions?)$")
_VARIANT = re.compile(r":(?:free|nitro|floor|extended|thinking|online|beta)$|[:-]latest$|@default$")
_REVISION = re.compile(r"-v\d+(?::\w+)*$")
_BETWEEN = re.compile(r"[ ._-]")
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
    if _is_same(name, bare(asked)):
        return True
    return sent is not None and _is_same(name, bare(sent)) and not _DATED.search(name)


def _is_same(one: str, other: str) -> bool:
    """Whether two names are one but for the signs between their words, or for Bedrock's revision that only one has."""
    if bool(_REVISION.search(one)) != bool(_REVISION.search(other)):
        one, other = _REVISION.sub("", one), _REVISION.sub("", other)
    return _BETWEEN.sub("", one) == _BETWEEN.sub("", other)
