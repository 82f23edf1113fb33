"""The map of faults names tests that exist, and says of every fault what proves it or that nothing does."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

TESTS = Path(__file__).parents[1]
MAP = Path(__file__).with_name("README.md")
FAULTS = 28


@cache
def named_in(file: Path) -> dict[str, str]:
    """The test functions of a module, with the source of their decorators and of what the module marks them all."""
    if not file.is_file():
        return {}
    nodes = ast.parse(file.read_text()).body
    everywhere = " ".join(ast.unparse(one) for one in nodes if isinstance(one, ast.Assign) and _marks(one))
    return {
        one.name: " ".join([everywhere, *map(ast.unparse, one.decorator_list)])
        for one in nodes
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef) and one.name.startswith("test_")
    }


def _marks(node: ast.Assign) -> bool:
    return [ast.unparse(target) for target in node.targets] == ["pytestmark"]


def complaints(text: str) -> Iterator[str]:
    """What is wrong with a map of faults."""
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if re.match(r"\| \d", line)]
    if [row[0] for row in rows] != [str(number) for number in range(1, FAULTS + 1)]:
        yield f"rows {[row[0] for row in rows]}, not 1 to {FAULTS}"
    for number, *_, proof in rows:
        named = re.findall(r"`([\w/]*(?:\.py)?)::(test_\w+)`(?: \[(\w+)\])?", proof)
        if not named and "**Open**" not in proof:
            yield f"row {number} names no test and is not open"
        file = ""
        for path, test, marker in named:
            file = path or file
            found = named_in(TESTS / file).get(test)
            if found is None:
                yield f"row {number}: there is no {file}::{test}"
            elif marker and f"mark.{marker}" not in found:
                yield f"row {number}: {file}::{test} is not marked {marker}"


def test_every_test_of_the_map_exists() -> None:
    """Each row has tests that are there, with the markers that it tells, or is said to be open."""
    assert list(complaints(MAP.read_text())) == []


def test_a_map_that_promises_too_much_is_caught() -> None:
    """A row that is missing, a test that was renamed, a wrong marker, a row without proof: each is a complaint."""
    text = MAP.read_text()
    one = "`store/test_rows.py::test_poison_is_bisected_out`"
    assert one in text
    last = next(line for line in text.splitlines() if line.startswith(f"| {FAULTS} |"))
    assert len(list(complaints(text.replace(last, "")))) == 1
    assert list(complaints(text.replace(one, one.replace("bisected", "dissected")))) == [
        "row 7: there is no store/test_rows.py::test_poison_is_dissected_out"
    ]
    assert list(complaints(text.replace(one, f"{one} [kafka]"))) == [
        "row 7: store/test_rows.py::test_poison_is_bisected_out is not marked kafka"
    ]
    assert list(complaints(text.replace(last, f"| {FAULTS} | a | b | somebody looked |"))) == [
        f"row {FAULTS} names no test and is not open"
    ]
