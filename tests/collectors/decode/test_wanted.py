"""Whether an answer has the format that its request asked for."""

import json
from typing import Any

import pytest

from undertow_collectors.decode import wanted as module
from undertow_collectors.decode.answer import of_text
from undertow_collectors.decode.wanted import satisfies, wanted

SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": ["integer", "null"]}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
GOOD, BAD = '{"name": "a", "age": null}', '{"name": "a"}'
GEMINI_SCHEMA = {
    "type": "OBJECT",
    "properties": {"name": {"type": "STRING"}, "age": {"type": "INTEGER", "nullable": True}},
    "required": ["name", "age"],
}
ASKED: dict[str, dict[str, Any]] = {
    "openai": {
        "response_format": {"type": "json_schema", "json_schema": {"name": "p", "strict": True, "schema": SCHEMA}}
    },
    "as text": {"response_format": json.dumps({"type": "json_schema", "json_schema": {"schema": SCHEMA}})},
    "litellm": {"response_format": {"type": "json_object", "response_schema": SCHEMA}},
    "responses": {"text": {"format": {"type": "json_schema", "name": "p", "schema": SCHEMA}}},
    "anthropic": {"output_format": {"type": "json_schema", "schema": SCHEMA}},
    "anthropic, now": {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
    "gemini": {"generationConfig": {"responseMimeType": "application/json", "responseSchema": GEMINI_SCHEMA}},
    "gemini in python": {"response_mime_type": "application/json", "response_schema": SCHEMA},
    "vllm": {"guided_json": json.dumps(SCHEMA)},
    "ollama": {"format": SCHEMA},
}


def parse_ok(text: str, parameters: dict[str, Any]) -> bool | None:
    """What the span says of a text that answers such a request."""
    found: bool | None = of_text(text, parameters).get("parse_ok")
    return found


@pytest.mark.parametrize("name", ASKED)
def test_an_answer_against_its_schema(name: Any) -> None:
    """Every provider's way to ask for a schema is read, and the answer is held against it."""
    assert parse_ok(GOOD, ASKED[name]) is True
    assert parse_ok(BAD, ASKED[name]) is False
    assert parse_ok(GOOD[:-1], ASKED[name]) is False


MODES: list[dict[str, Any]] = [
    {"response_format": {"type": "json_object"}},
    {"response_format": "json_object"},
    {"text": {"format": {"type": "json_object"}}},
]


@pytest.mark.parametrize("parameters", MODES)
def test_json_mode_wants_an_object(parameters: Any) -> None:
    """In JSON mode any object will do, and nothing else."""
    assert parse_ok("{}", parameters) is True
    assert parse_ok("[1]", parameters) is False
    assert parse_ok("3", parameters) is False


FREE: list[dict[str, Any]] = [
    {"response_mime_type": "application/json"},
    {"format": "json"},
    {"output_type": "json"},
]


@pytest.mark.parametrize("parameters", FREE)
def test_json_without_a_schema(parameters: Any) -> None:
    """Where just JSON was asked for, any JSON will do."""
    assert parse_ok("[1]", parameters) is True
    assert parse_ok("[1", parameters) is False


NOT_ASKED: list[dict[str, Any]] = [
    {},
    {"response_format": {"type": "text"}},
    {"response_format": None, "text": {"verbosity": "low"}},
    {"text": "x", "format": 3, "generationConfig": [], "output_format": "mp3"},
    {"generationConfig": {"responseMimeType": "text/plain"}},
]


@pytest.mark.parametrize("parameters", NOT_ASKED)
def test_nothing_asked_nothing_said(parameters: Any) -> None:
    """Without a request for JSON there is no verdict."""
    assert wanted(parameters) is None
    assert parse_ok("{}", parameters) is None


def test_a_fenced_answer_does_not_parse() -> None:
    """Who asked for JSON parses the text as it is, and a code fence is no JSON."""
    assert parse_ok(f"```json\n{GOOD}\n```", ASKED["openai"]) is False


def asked(schema: Any) -> dict[str, Any]:
    """The parameters of a request with that schema."""
    return {"response_format": {"type": "json_schema", "json_schema": {"schema": schema}}}


BROKEN: list[Any] = [
    {"type": "objekt"},
    {"properties": []},
    {"$ref": "#/nowhere"},
    {"$ref": "https://schemas.invalid/a.json"},
    {"$id": "https://schemas.invalid/", "$ref": "b.json"},
    {"$ref": "#"},
    {"required": 3, "properties": 4},
    {"multipleOf": 0},
    {"pattern": "("},
    "no schema",
    [],
    None,
]


@pytest.mark.parametrize("schema", BROKEN)
def test_a_broken_schema_leaves_it_at_json(schema: Any) -> None:
    """A schema that cannot be applied says nothing against an answer; nothing is ever fetched."""
    assert parse_ok("{}", asked(schema)) is True
    assert parse_ok("7", asked(schema)) is True
    assert parse_ok("{", asked(schema)) is False


def test_recursive_schemas() -> None:
    """A schema may refer to itself; an answer that nests too deep for it is left at JSON."""
    tree = {"type": "object", "properties": {"child": {"$ref": "#"}}, "required": ["name"]}
    assert parse_ok('{"name": 1, "child": {"name": 2}}', asked(tree)) is True
    assert parse_ok('{"name": 1, "child": {}}', asked(tree)) is False
    deep = '{"child":' * 900 + "{}" + "}" * 900
    assert parse_ok(deep, asked({"properties": {"child": {"$ref": "#"}}})) is True


class Budget:
    """Steps that are left, and how many were taken."""

    def __init__(self) -> None:
        self._left = self.spent = 0

    @property
    def left(self) -> int:
        return self._left

    @left.setter
    def left(self, value: int) -> None:
        self.spent += value < self._left
        self._left = value


def test_a_schema_that_doubles_its_work_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    """Definitions that refer twice to the next one would take 2**40 steps; after MAX_STEPS none is taken."""
    monkeypatch.setattr(module, "_budget", budget := Budget())
    definitions: dict[str, Any] = {
        f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}, {"$ref": f"#/$defs/d{n + 1}"}]} for n in range(40)
    }
    schema = {"$defs": definitions | {"d40": {"type": "number"}}, "$ref": "#/$defs/d0"}
    assert parse_ok("7", asked(schema)) is True
    assert budget.spent == module.MAX_STEPS + 1


PATTERNS = [
    ("^[a-z]+$", "abc", True),
    ("^[a-z]+$", "ABC", False),
    ("^(a+)+$", "b", True),
    (r"^(\w|\d)*$", "!", True),
    ("a*b*c*d*$", "!", True),
    ("^x$", "y" * 3000, True),
]


@pytest.mark.parametrize(("pattern", "text", "expected"), PATTERNS)
def test_patterns_are_tried_where_they_are_cheap(pattern: Any, text: Any, expected: Any) -> None:
    """Simple expressions count; those that could take for ever, and long strings, are passed over."""
    assert parse_ok(json.dumps(text), asked({"type": "string", "pattern": pattern})) is expected


def test_a_catastrophic_pattern_finishes() -> None:
    """An expression that backtracks for ever on a text is not run on it."""
    schema = {"type": "object", "properties": {"a": {"type": "string", "pattern": "^((a|a)*)*$"}}}
    assert parse_ok(json.dumps({"a": "a" * 1000 + "!"}), asked(schema)) is True


def test_large_schemas_and_answers_are_left_at_json() -> None:
    """Past the limits on size only the JSON counts."""
    large = {"type": "object", "properties": {f"p{n}": {"type": "string"} for n in range(3000)}, "required": ["p0"]}
    assert parse_ok("{}", asked(large)) is True
    assert satisfies({}, module.MAX_CHECKED + 1, module.Wanted(SCHEMA))
    assert not satisfies({}, module.MAX_CHECKED, module.Wanted(SCHEMA))


def test_schemas_are_kept_ready_and_their_number_is_bounded() -> None:
    """One validator serves all requests with a schema; as many are kept as SCHEMAS says."""
    module._validator.cache_clear()
    for _ in range(3):
        parse_ok(GOOD, ASKED["openai"])
    assert module._validator.cache_info().misses == 1
    for n in range(module.SCHEMAS + 9):
        parse_ok("{}", asked({"title": str(n)}))
    assert module._validator.cache_info().currsize == module.SCHEMAS
