"""The documents that follow from code: `python -m undertow.documents` writes them, tests prove them current."""

import inspect
import io
import os
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec

from undertow import cli
from undertow.config import Config, Secret
from undertow.keys import bare

WIDTH = "100"

CONFIGURATION = """# Configuration

`undertow.toml` in the working directory, or the file named with `--config`. Every key `section.key` is also the
environment variable `UNDERTOW_SECTION__KEY`, which wins: `UNDERTOW_DETECT__BASELINE__MIN_SPANS=5000`. There a list is
JSON or separated by commas, and a number picks one of several tables: `UNDERTOW_ALERTS__WEBHOOK__0__SECRET`. Unknown
keys are errors.

A secret comes from the file, from the environment, or from the file that the key with `_file` at its end names, as
container platforms mount them. Secrets are never printed.
"""

COMMANDS = """# Commands

Exit codes: 0 done; 1 done and the answer is no (an incident is open, a check fails); 2 usage; 3 not enough data to say;
65 nothing in the input could be read; 74 input or output failed; 75 try again; 78 bad configuration. `--json` puts one
JSON object on standard output and nothing else; progress and logs go to standard error.
"""


def configuration() -> str:
    """docs/configuration.md: every section and key with type, default and meaning."""
    return "\n".join([CONFIGURATION, *_sections(Config, "")])


def _sections(kind: type[msgspec.Struct], name: str) -> Iterator[str]:
    fields = _own_first(kind)
    inner = {field.name: _struct_in(field.type) for field in fields}
    rows = [field for field in fields if inner[field.name] is None]
    if rows:
        yield f"## `{name}`\n\n{_story(kind)}\n\n| key | value | default | meaning |\n|---|---|---|---|"
        yield "\n".join(map(_row, rows)) + "\n"
    for key, struct in inner.items():
        if struct is not None:
            yield from _sections(struct, _table(name, key, kind))


def _own_first(kind: type[msgspec.Struct]) -> list[msgspec.structs.FieldInfo]:
    """The keys of a section, those that it shares with others last."""
    bases = [base for base in kind.__mro__[1:] if issubclass(base, msgspec.Struct) and base is not msgspec.Struct]
    shared = {name for base in bases for name in base.__struct_fields__}
    return sorted(msgspec.structs.fields(kind), key=lambda field: field.name in shared)


def _table(name: str, key: str, kind: type[msgspec.Struct]) -> str:
    """How the file opens the table of `key`: one of several stands in double brackets."""
    path = f"{name.strip('[]')}.{key}".lstrip(".")
    container = get_origin(bare(next(f.type for f in msgspec.structs.fields(kind) if f.name == key)))
    return {list: f"[[{path}]]", dict: f"[{path}.NAME]"}.get(container, f"[{path}]")


def _struct_in(kind: Any) -> type[msgspec.Struct] | None:
    for option in (bare(kind), *map(bare, get_args(bare(kind)))):
        if isinstance(option, type) and issubclass(option, msgspec.Struct):
            return option
    return None


def _story(kind: type[msgspec.Struct]) -> str:
    return inspect.cleandoc(kind.__doc__ or "")


def _row(field: msgspec.structs.FieldInfo) -> str:
    meaning = next(meta.description for meta in _metas(field.type) if meta.description)
    return f"| `{field.name}` | {_kind(bare(field.type))} | {_default(field)} | {meaning} |"


def _metas(kind: Any) -> list[msgspec.Meta]:
    return (
        [meta for meta in get_args(kind)[1:] if isinstance(meta, msgspec.Meta)] if get_origin(kind) is Annotated else []
    )


def _kind(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(kind))
    if get_origin(kind) is list:
        return f"list of {_kind(bare(get_args(kind)[0]))}"
    if get_origin(kind) is dict:
        return f"table of {_kind(bare(get_args(kind)[1]))}"
    names = {str: "text", int: "whole number", float: "number", bool: "true or false", Secret: "secret"}
    return names[kind]


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "required"
    value = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    return "" if value is None else f"`{msgspec.json.encode(value).decode()}`"


def commands() -> str:
    """docs/commands.md: the help of every command, as wide as COLUMNS."""
    return "\n".join([COMMANDS, *(f"## `undertow {name}`\n\n```\n{_help(name)}```\n" for name in cli.COMMANDS)])


def _help(name: str) -> str:
    with redirect_stdout(io.StringIO()) as out:
        cli.main([name, "--help"])
    return out.getvalue()


DOCUMENTS = {"configuration.md": configuration, "commands.md": commands}


def main() -> None:
    """Write every document into docs."""
    os.environ["COLUMNS"] = WIDTH
    for name, text in DOCUMENTS.items():
        (Path("docs") / name).write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    main()
