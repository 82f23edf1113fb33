"""docs/span.md, written from the definition of the span: `python -m undertow.spandoc > docs/span.md`."""

import msgspec

from undertow.span import FIELDS, SCHEMA, Field, Span

_TYPES = {"int": "int", "float": "number", "bool": "bool", "map": "{string: string}", "json": "{string: scalar}"}


def markdown() -> str:
    """The whole page, ending in a newline."""
    rows = "\n".join(f"| {f.name} | {_type(f)} | {_default(f)} | {f.description} |" for f in FIELDS)
    return f"""# The span: one attempt at one LLM call (`{SCHEMA}`)

This page is written by `python -m undertow.spandoc` from `src/undertow/span.py`.

The native format is one JSON object for each Kafka message or line of JSONL, or a JSON array of them. A field may be
left out or null, which means unknown: neither false nor zero. Keys that are not in this table are counted by name and
dropped, unless `store.keep_labels` names them. The other formats, in [formats.md](formats.md), are read into the same
fields.

| field | type | default | meaning |
|---|---|---|---|
{rows}

The smallest native span:

```json
{{"span_id": "a1", "started_at": "2026-11-20T12:00:00Z", "provider": "openai", "model": "gpt-4o"}}
```

What the store adds: `ended_at`, which is `started_at` plus `duration_s` (Unix seconds), is the time by which spans are
ordered and judged. `gateway`, `provider`, `model` and `deployment` together are the target that is watched.
"""


def _type(field: Field) -> str:
    return ", ".join(f"`{value}`" for value in field.values) or _TYPES.get(field.kind, "string")


def _default(field: Field) -> str:
    default = next(f.default for f in msgspec.structs.fields(Span) if f.name == field.name)
    return "required" if field.required else "" if default is None else f"`{default}`"


if __name__ == "__main__":
    print(markdown(), end="")  # noqa: T201  its whole purpose
