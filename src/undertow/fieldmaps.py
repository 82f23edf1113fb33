"""What a field map may say: its settings, the fields it can fill, their units. The collectors read logs by it."""

import difflib
from typing import Annotated, Any, ClassVar, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from undertow.keys import Place, bare
from undertow.span import Span

Text = Annotated[str, Meta(min_length=1)]
Scalar = str | bool | int | float

MOMENTS = ("auto", "unix_s", "unix_ms", "unix_us", "unix_ns", "rfc3339")
DURATIONS = ("s", "ms", "us", "ns")
MONEY = ("usd", "cents")

UNITS: dict[str, tuple[str, ...]] = {
    "started_at": MOMENTS,
    "ended_at": MOMENTS,
    "first_token_at": MOMENTS,
    "duration_s": DURATIONS,
    "ttft_s": DURATIONS,
    "cost_usd": MONEY,
}
"""Target -> its units, the one that is meant without a word first; other targets have none."""

HELPERS = {
    "ended_at": "when the call ended; gives `duration_s`, or `started_at` where that is unknown",
    "first_token_at": "when the first token or chunk came; gives `ttft_s`",
    "request_body": "what was sent upstream, as an object or as JSON in a string; gives the request's parameters",
    "response_body": "what the provider answered, likewise; gives what can be read off an answer",
    "response_text": "the answer's text alone, where there is no body",
}
"""Targets that are no fields of the span: fields are made of them, and they are forgotten."""

_TYPES = get_type_hints(Span, include_extras=True)
TARGETS = frozenset(_TYPES) | HELPERS.keys()


def _says(text: str) -> Meta:
    return Meta(description=text)


class FieldRule(msgspec.Struct, frozen=True, kw_only=True):
    """One field of the span, `labels.NAME`, `signals.NAME`, or what fields are made of: `ended_at`, `first_token_at`,
    `request_body`, `response_body`, `response_text`. A text alone is its `path`.
    """

    SHORT: ClassVar[str] = "path"

    path: Annotated[Text | None, _says("where the value stands: keys and array indices with dots between them")] = None
    paths: Annotated[list[Text], _says("several places, of which the first that holds a value counts")] = []
    unit: Annotated[
        Text | None,
        _says(
            "`s`, `ms`, `us`, `ns` of durations; `unix_s`, `unix_ms`, `unix_us`, `unix_ns`, `rfc3339` of times, which"
            " are told apart without; `usd`, `cents`"
        ),
    ] = None
    values: Annotated[
        dict[str, Scalar], _says('words of the log and what they mean, `{OK = "ok", FAIL = "error"}`')
    ] = {}
    default: Annotated[Scalar | None, _says("used where there is no value, or one that `values` does not list")] = None
    value: Annotated[Scalar | None, _says("a constant (text, number, true or false), instead of all the others")] = None

    @property
    def sources(self) -> tuple[str, ...]:
        """Every path, in the order in which they are looked at."""
        return ((self.path,) if self.path else ()) + tuple(self.paths)


class FieldMapConfig(msgspec.Struct, frozen=True, kw_only=True):
    """A JSON log of your own: which messages are in it, and how its keys become fields of a span."""

    name: Annotated[
        Annotated[str, Meta(pattern="^[a-z][a-z0-9_-]{0,63}$")],
        _says("its name in `kafka.format` and in `--format`; also the `gateway`, unless a field says otherwise"),
    ]
    topic: Annotated[
        Text | None, _says("with `auto` the map reads only messages of this topic; files have no topic")
    ] = None
    required: Annotated[
        list[Text],
        _says("with `auto` it reads only messages that have all of these keys; without both it is used only by name"),
    ] = []
    blanks: Annotated[list[str], _says("texts that mean unknown, besides the empty one")] = []
    fields: Annotated[dict[str, FieldRule], _says("field of the span to its rule")]


def spell_out(table: dict[str, Any]) -> None:
    """Make `labels.user = ...` without quotes, which TOML reads as a table in a table, what it means."""
    kafka = table.get("kafka")
    maps = kafka.get("field_map") if isinstance(kafka, dict) else None
    for one in maps if isinstance(maps, list) else ():
        fields = one.get("fields") if isinstance(one, dict) else None
        if isinstance(fields, dict):
            _spell_out_groups(fields)


def _spell_out_groups(fields: dict[str, Any]) -> None:
    for group in ("labels", "signals"):
        nested = fields.get(group)
        if isinstance(nested, dict) and not nested.keys() & set(FieldRule.__struct_fields__):
            del fields[group]
            fields.update({f"{group}.{name}": rule for name, rule in nested.items()})


def is_target(name: str) -> bool:
    """Whether a map can fill `name`: a field of the span, a helper, `labels.NAME` or `signals.NAME`."""
    group, _, rest = name.partition(".")
    return name in TARGETS or (group in ("labels", "signals") and 0 < len(rest) <= 256)


def is_path(text: str) -> bool:
    """Whether `text` is a dotted path without an empty part."""
    return 0 < len(text) <= 512 and all(text.split("."))


def check(maps: list[FieldMapConfig], taken: tuple[str, ...], place: Place) -> None:
    """Raise ConfigError for what no single type can say; `taken` are the names of the built-in formats."""
    seen = dict.fromkeys(taken, "is the name of a built-in format; choose another")
    for index, one in enumerate(maps):
        here = place / index
        if one.name in seen:
            raise (here / "name").error(f"{one.name!r} {seen[one.name]}")
        seen[one.name] = "names two field maps; choose another"
        _check_map(one, here)


def _check_map(one: FieldMapConfig, place: Place) -> None:
    for index, key in enumerate(one.required):
        _check_path(key, place / "required" / index)
    if not one.fields.keys() & {"model", "sent_model", "response_model", "response_body"}:
        raise (place / "fields").error("nothing fills `model`, and every span needs one")
    for name, rule in one.fields.items():
        _check_rule(name, rule, place / "fields" / name)


def _check_rule(name: str, rule: FieldRule, place: Place) -> None:
    if not is_target(name):
        close = difflib.get_close_matches(name, TARGETS, n=1, cutoff=0.6)
        hint = f"did you mean `{close[0]}`?" if close else "docs/span.md lists them; `labels.NAME` takes the rest"
        raise place.error(f"is no field of the span; {hint}")
    if rule.value is not None and (rule.sources or rule.default is not None or rule.values):
        raise (place / "value").error("is a constant and stands alone; `default` is for where a path holds nothing")
    if rule.value is None and not rule.sources:
        raise place.error("says nothing; set `path`, or `value` for a constant")
    for path in rule.sources:
        _check_path(path, place / ("path" if path == rule.path else "paths"))
    _check_unit(name, rule.unit, place / "unit")
    for key, value in (("value", rule.value), ("default", rule.default), *rule.values.items()):
        if value is not None:
            _check_constant(name, value, place / key if key in ("value", "default") else place / "values" / key)


def _check_path(path: str, place: Place) -> None:
    if not is_path(path):
        raise place.error(f"{path!r} is no path; expected keys with single dots between them, as in usage.input_tokens")


def _check_unit(name: str, unit: str | None, place: Place) -> None:
    allowed = UNITS.get(name, ())
    if unit is not None and unit not in allowed:
        told = f"expected one of {', '.join(allowed)}" if allowed else f"`{name}` has no unit; remove it"
        raise place.error(f"{told}, got {unit!r}" if allowed else told)


def _check_constant(name: str, value: Any, place: Place) -> None:
    """A value that the map itself names must be one that the field can have, in the units of the span."""
    group = name.partition(".")[0]
    kind = {"labels": str, "signals": Scalar}.get(group) or _TYPES.get(name) or (float if name in UNITS else None)
    if kind is None or name in ("labels", "signals"):
        raise place.error(f"`{name}` has no constant")
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        options = get_args(bare(kind)) if get_origin(bare(kind)) is Literal else ()
        raise place.error(f"expected one of {', '.join(options)}" if options else _lower(str(error))) from None


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:].replace("`", "")
