"""Field maps: paths, units, words, and what is told about them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.batch import Decoded, Origin
from undertow_collectors.decode.context import Context
from undertow_collectors.decode.fieldmap import FieldMap, Rule, always, at
from undertow_collectors.decode.provenance import Provenance

HERE = Context(Origin("t", 0, 0))


def read(rules: dict[str, Rule], record: dict[str, Any], decoded: Decoded | None = None) -> dict[str, Any]:
    """What a map of these rules reads."""
    return FieldMap(rules).read(record, decoded or Decoded(), HERE)


@pytest.mark.parametrize(
    "record",
    [
        {"gen_ai.request.model": "m"},
        {"gen_ai": {"request": {"model": "m"}}},
        {"gen_ai": {"request.model": "m"}},
        {"gen_ai.request": {"model": "m"}},
        {"gen_ai": {"request": {}}, "gen_ai.request": {"model": "m"}},
        {"gen_ai": '{"request": {"model": "m"}}'},
        {"gen_ai.request.model": "m", "gen_ai": {"request": {"model": "nested"}}},
    ],
)
def test_a_path_is_found_however_its_keys_are_cut(record: Any) -> None:
    """A dot is part of a key, or between two; the flat key wins; a string of JSON is looked into."""
    assert read({"model": at("gen_ai.request.model")}, record) == {"model": "m"}


@pytest.mark.parametrize(
    ("path", "expected"),
    [("choices.0.reason", "stop"), ("choices.1.reason", None), ("choices.x", None), ("choices.0", None), ("n.0", None)],
)
def test_an_index_goes_into_an_array(path: Any, expected: Any) -> None:
    """Digits are an index where an array stands; past its end there is nothing."""
    found = read({"model": at(path)}, {"choices": [{"reason": "stop"}], "n": 3})
    assert found.get("model") == expected


def test_digits_are_a_key_of_an_object() -> None:
    """Where an object stands, digits are its key."""
    assert read({"model": at("a.0")}, {"a": {"0": "m"}}) == {"model": "m"}


def test_the_first_path_that_holds_a_value_wins() -> None:
    """Null and the empty text are no values."""
    rules = {"model": at("a", "b.c", "d")}
    assert read(rules, {"a": None, "b": {"c": ""}, "d": "m"}) == {"model": "m"}
    assert read(rules, {"b": {"c": "x"}, "d": "m"}) == {"model": "x"}


@pytest.mark.parametrize(
    ("target", "unit", "value", "expected"),
    [
        ("duration_s", None, 2, 2),
        ("duration_s", "ms", 1500, 1.5),
        ("duration_s", "us", 1_500_000, 1.5),
        ("ttft_s", "ns", 1_500_000_000, 1.5),
        ("cost_usd", None, 0.5, 0.5),
        ("cost_usd", "cents", 50, 0.5),
        ("started_at", "unix_s", 1.79e9, 1.79e9),
        ("started_at", "unix_ms", 1.79e12, 1.79e9),
        ("started_at", "unix_us", 1.79e15, 1.79e9),
        ("started_at", "unix_ns", 1_790_000_000_000_000_000, 1.79e9),
        ("started_at", "rfc3339", "2026-09-21T14:13:20Z", 1.79e9),
        ("started_at", None, "2026-09-21T16:13:20.000+02:00", 1.79e9),
        ("started_at", None, "2026-09-21 14:13:20,000+0000", 1.79e9),
        ("started_at", None, 1.79e9, 1.79e9),
        ("started_at", None, 1_790_000_000_000, 1.79e9),
        ("started_at", "unix_ms", "2026-09-21T14:13:20Z", 1.79e9),
        ("started_at", "auto", 1_790_000_000_000_000, 1.79e9),
        ("started_at", "auto", 1_790_000_000_000_000_000, 1.79e9),
    ],
)
def test_units(target: Any, unit: Any, value: Any, expected: Any) -> None:
    """Each unit becomes the span's; a conversion that the table asks for is no repair."""
    decoded = Decoded()
    found = read({target: at("x", unit=unit)}, {"x": value}, decoded)
    assert found[target] == pytest.approx(expected, rel=1e-12)
    assert not decoded.coerced


def test_a_guessed_unit_of_time_is_told() -> None:
    """Seconds are what a span means; milliseconds told by their size alone are derived."""
    decoded = Decoded()
    read({"started_at": at("x"), "ended_at": at("y")}, {"x": 1.79e12, "y": 1.79e9}, decoded)
    assert decoded.derived == {"started_at": 1}


@pytest.mark.parametrize(
    ("target", "value", "expected"),
    [
        ("input_tokens", "120", 120),
        ("input_tokens", 12.0, 12),
        ("duration_s", "1.5", 1.5),
        ("stream", "True", True),
        ("model", 4, "4"),
        ("input_tokens", "many", None),
        ("input_tokens", -1, None),
        ("input_tokens", True, None),
        ("duration_s", {}, None),
        ("duration_s", -1, None),
        ("started_at", "yesterday", None),
        ("started_at", "2026-13-41T00:00:00Z", None),
        ("status", {}, None),
        ("response_sha256", [], None),
    ],
)
def test_repairs_are_counted(target: Any, value: Any, expected: Any) -> None:
    """A value of another type is repaired where it can mean one thing, else left out; both are counted."""
    decoded = Decoded()
    assert read({target: at("x")}, {"x": value}, decoded).get(target) == expected
    assert decoded.coerced == {target: 1}


def test_words_are_translated() -> None:
    """`values` names words, booleans and numbers by their text; a default is for all others, else they stay."""
    strict = {"status": at("o", values={"OK": "ok", "true": "ok", "0": "ok"}, default="error")}
    assert [read(strict, {"o": o})["status"] for o in ("OK", True, 0, "ok", False, [])] == ["ok"] * 3 + ["error"] * 3
    assert read(strict, {})["status"] == "error"
    loose = {"status": at("o", values={"OK": "ok"})}
    assert read(loose, {"o": "Failed"})["status"] == "Failed"
    assert read(loose, {}) == {}


def test_labels_and_signals() -> None:
    """Single ones by name, whole objects of them, within the bounds of a span."""
    rules = {"labels": at("meta"), "labels.user": at("u"), "signals.cited": at("c"), "signals.words": at("w")}
    found = read(rules, {"meta": {"team": "a", "n": 3, "x": [1], "on": True}, "u": 17, "c": True, "w": 12.5})
    assert found["labels"] == {"team": "a", "n": "3", "on": "true", "user": "17"}
    assert found["signals"] == {"cited": True, "words": 12.5}
    long = read({"labels": at("m")}, {"m": {f"k{i}": "x" * 999 for i in range(99)}})["labels"]
    assert (len(long), max(map(len, long.values()))) == (32, 256)


def test_another_hash_still_tells_equal_answers() -> None:
    """A SHA-256 in hex is taken as it is; of any other hash the SHA-256 is taken, which is counted."""
    rules, decoded = {"response_sha256": at("h")}, Decoded()
    digits = "AB" * 32
    assert read(rules, {"h": digits}, decoded)["response_sha256"] == digits.lower()
    assert read(rules, {"h": "sha256:" + digits}, decoded)["response_sha256"] == digits.lower()
    assert not decoded.coerced
    one, two = (read(rules, {"h": h}, decoded)["response_sha256"] for h in ("d41d8cd98f", 7))
    assert len(one) == len(two) == 64
    assert one != two
    assert decoded.coerced == {"response_sha256": 2}


@pytest.mark.parametrize(
    ("target", "rule"),
    [
        ("modell", at("x")),
        ("labels.", at("x")),
        ("model", at("a..b")),
        ("model", at("")),
        ("model", at("x", unit="ms")),
        ("duration_s", at("x", unit="minutes")),
        ("input_tokens", always("many")),
        ("input_tokens", at("x", values={"a": "many"})),
    ],
)
def test_a_table_that_cannot_be_is_refused(target: Any, rule: Any) -> None:
    """Unknown fields, units, paths and impossible constants are mistakes when a map is made, not when it reads."""
    with pytest.raises(ValueError, match=target):
        FieldMap({target: rule})


def test_unread_names() -> None:
    """What no rule names is told by the shallowest name, or by every leaf."""
    table = FieldMap({"model": at("a.b"), "input_tokens": at("u.in")})
    record = {"a": {"b": 1, "c": {"d": 1, "e": []}}, "u": {"in": 3}, "z": {"y": {"x": 1}}, "a.b": 1}
    assert list(table.unread(record)) == ["a.c", "z"]
    assert list(table.unread(record, leaves=True)) == ["a.c.d", "a.c.e", "z.y.x"]


def test_sources_are_noted_where_somebody_asks() -> None:
    """Path, constant or default of each field, and the value before a repair."""
    asked = Context(Origin("t", 0, 0), sources=Provenance())
    rules = {"model": at("a", "b"), "provider": always("p"), "stream": at("s", default=False), "input_tokens": at("n")}
    FieldMap(rules).read({"b": "m", "n": "12"}, Decoded(), asked)
    assert asked.sources is not None
    asked.close("not_llm_call", ["x"])
    (record,) = asked.sources.records
    assert {name: note.source for name, note in record.notes.items()} == {
        "model": "b",
        "provider": "constant",
        "stream": "default",
        "input_tokens": "n",
    }
    assert record.notes["input_tokens"] == ("n", "12", True)
    assert record.notes["model"] == ("b", "m", False)
    assert (record.outcome, record.unread) == ("not_llm_call", ("x",))


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6)
values = st.recursive(scalars, lambda c: st.lists(c, max_size=3) | st.dictionaries(st.text(max_size=3), c, max_size=3))


@given(st.dictionaries(st.sampled_from("abcdef"), values))
def test_any_value_under_any_rule(record: dict[str, Any]) -> None:
    """Whatever stands at a path, reading it raises nothing."""
    rules = {
        "started_at": at("a"),
        "duration_s": at("b.0", "b", unit="ms"),
        "status": at("c", values={"x": "ok"}),
        "labels": at("d"),
        "signals.x": at("e"),
        "input_tokens": at("f.a", "f"),
        "response_sha256": at("f"),
        "response_body": at("d"),
    }
    table = FieldMap(rules)
    table.read(record, Decoded(), HERE)
    list(table.unread(record, leaves=True))
