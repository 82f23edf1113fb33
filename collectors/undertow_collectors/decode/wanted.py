"""The format that a request asked its answer to have, and whether the answer has it.

Known are `response_format` and the Responses API's `text.format` of OpenAI, `output_format` of Anthropic,
`responseMimeType` and `responseSchema` of Gemini, and the names that vLLM and Ollama use. Schemas come from outside: a
schema is checked with a bounded number of steps and without the network, or not at all.
"""

import re
import threading
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import jsonschema
import msgspec
from jsonschema.validators import extend
from referencing import Registry

from undertow_collectors.decode.coerce import mapping

MAX_SCHEMA = 65_536
"""Bytes of a schema that is checked; of an answer beside a larger one only the JSON is."""

MAX_CHECKED = 262_144
"""Characters of an answer that is held against a schema."""

MAX_STEPS = 20_000
"""Keywords of a schema that are tried on one answer."""

MAX_PATTERN = 2_000
"""Characters of a string that a `pattern` is tried on."""

SCHEMAS = 256
"""Schemas kept ready, the last ones used."""

_SCHEMAS = ("responseSchema", "response_schema", "responseJsonSchema", "response_json_schema", "guided_json")
_ASKING = {
    "response_format", "text", "output_config", "output_format", "output_type", "format", "generationConfig",
    "generation_config", "responseMimeType", "response_mime_type", *_SCHEMAS,
}  # fmt: skip
_JSON = {"json", "json_object", "json_schema", "application/json"}


class Wanted(NamedTuple):
    """What was asked for: JSON at all, an object, or an instance of `schema`."""

    schema: Any = None
    an_object: bool = False


def wanted(parameters: dict[str, Any]) -> Wanted | None:
    """The JSON format that a request's parameters ask for; None where they ask for none."""
    if _ASKING.isdisjoint(parameters):
        return None
    for found in _formats(parameters):
        if isinstance(found, str):
            if found.lower() in _JSON:
                return Wanted(an_object=found == "json_object")
        elif isinstance(found, dict) and isinstance(found.get("type"), str) and found["type"] in _JSON:
            inner = found.get("json_schema")
            schema = (inner if isinstance(inner, dict) else found).get("schema") or found.get("response_schema")
            return Wanted(_schema(schema), found["type"] == "json_object")
    return _by_schema(parameters)


def satisfies(value: Any, size: int, asked: Wanted) -> bool:
    """Whether a JSON value that took `size` characters is what was asked for.

    A schema that is broken, too large or takes too many steps counts as satisfied.
    """
    if asked.an_object and not isinstance(value, dict):
        return False
    if not isinstance(asked.schema, dict) or not asked.schema or size > MAX_CHECKED:
        return True
    try:
        document = msgspec.json.encode(asked.schema)
        validator = _validator(document) if len(document) <= MAX_SCHEMA else None
        _budget.left = MAX_STEPS
        return validator is None or bool(validator.is_valid(value))
    except Exception:  # noqa: BLE001  a schema is anybody's, and what is wrong with it is not the answer's fault
        return True


def _formats(parameters: dict[str, Any]) -> Iterator[Any]:
    given = parameters.get("response_format")
    yield mapping(given) or given
    for name in ("text", "output_config"):
        if isinstance(parameters.get(name), dict):
            yield parameters[name].get("format")
    yield parameters.get("output_format")
    yield parameters.get("output_type")
    if parameters.get("format") == "json":
        yield "json"


def _by_schema(parameters: dict[str, Any]) -> Wanted | None:
    for name in ("generationConfig", "generation_config"):
        inner = parameters.get(name)
        if isinstance(inner, dict):
            parameters = parameters | inner
    for name in _SCHEMAS:
        schema = _schema(parameters.get(name))
        if isinstance(schema, dict):
            return Wanted(schema)
    mime = parameters.get("responseMimeType") or parameters.get("response_mime_type")
    if mime == "application/json":
        return Wanted()
    inner = parameters.get("format")  # Ollama takes the schema itself
    return Wanted(inner) if isinstance(inner, dict) and ("properties" in inner or "$ref" in inner) else None


def _schema(given: Any) -> Any:
    return mapping(given) if isinstance(given, str) else given


class _Budget(threading.local):
    """Steps that are left for the schema which this thread is checking."""

    left = 0


class _TooLongError(Exception):
    """A schema takes more steps than it may."""


_budget = _Budget()
_Check = Callable[[Any, Any, Any, Any], Any]


def _counted(check: _Check) -> _Check:
    def counted(validator: Any, value: Any, instance: Any, schema: Any) -> Any:
        _budget.left -= 1
        if _budget.left < 0:
            raise _TooLongError
        return check(validator, value, instance, schema)

    return counted


def _unchecked(validator: Any, value: Any, instance: Any, schema: Any) -> None:
    """A keyword whose cost has no bound."""


def _type(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[jsonschema.ValidationError]:
    """`type`, also as Gemini spells it: in capitals, and with `nullable` beside it."""
    kinds = [value] if isinstance(value, str) else value
    nullable = instance is None and schema.get("nullable") is True
    if not nullable and not any(validator.is_type(instance, kind.lower()) for kind in kinds):
        yield jsonschema.ValidationError("type")


def _pattern(
    validator: Any,  # noqa: ARG001  the signature of a keyword
    value: Any,
    instance: Any,
    schema: Any,  # noqa: ARG001
) -> Iterator[jsonschema.ValidationError]:
    if (
        isinstance(instance, str)
        and len(instance) <= MAX_PATTERN
        and _is_cheap(value)
        and not re.search(value, instance)
    ):
        yield jsonschema.ValidationError("pattern")


def _is_cheap(pattern: str) -> bool:
    """Whether a regular expression surely takes no more than the square of a text's length: nothing that repeats
    stands in a group that repeats, and no more than two things repeat without an end.
    """
    return len(pattern) <= 256 and not _DEAR.search(pattern) and len(_ENDLESS.findall(pattern)) <= 2


_DEAR = re.compile(r"\)[*+{?]|\\[1-9]|\(\?P=|\(\?[=!<]")
_ENDLESS = re.compile(r"[*+]|,\}|\{\d{3,}|\{\d*,\d{3,}")
_UNBOUND = (
    "patternProperties", "propertyNames", "uniqueItems", "unevaluatedItems", "unevaluatedProperties",
    "dependentSchemas", "contains",
)  # fmt: skip

_Validator: Any = extend(
    jsonschema.Draft202012Validator,
    {name: _counted(check) for name, check in jsonschema.Draft202012Validator.VALIDATORS.items()}
    | dict.fromkeys(_UNBOUND, _unchecked)
    | {"type": _counted(_type), "pattern": _counted(_pattern)},
)


@lru_cache(maxsize=SCHEMAS)
def _validator(document: bytes) -> Any:
    return _Validator(msgspec.json.decode(document), registry=Registry())
