"""The page of what would be noticed."""

import time

import pytest

from undertow_dashboards.shapes import Delay, Detectable, Noticed, Target
from undertow_dashboards.views import detectability as page

from .conftest import Open
from .fixtures import HOSTILE, FakeApi, target
from .test_dash_pages import harmless, texts

HERE = Target("openai", "gpt-4o")


def test_the_smallest_changes_are_told_in_words(open_page: Open) -> None:
    """Falls, rises and how soon stand in a table, under a title that counts the targets."""
    app = open_page("detectability")
    assert not app.exception
    assert app.title[0].value == "A change would be noticed within a day at 3 of 5 targets"
    assert "With 30 days between false alarms of the whole fleet" in texts(app)
    table = app.dataframe[0].value
    assert table["noticed within a day"][0] == "fall of 8 % or rise of 9 %"
    assert "not enough data (140 values)" in list(table["usual"])


def test_too_few_values_are_not_called_quiet(open_page: Open) -> None:
    """What cannot be judged is counted and said."""
    assert "2 signals with too few values to judge" in texts(open_page("detectability"))


@pytest.mark.parametrize(
    ("one", "told"),
    [
        (Detectable(HERE, "refusal", "binary", 900, 0.02, 100.0, Noticed(0.012, None)), "rise of 1.2 points"),
        (Detectable(HERE, "output_tokens", "numeric", 900, 240.0, 9.0, Noticed()), "none"),
        (Detectable(HERE, "output_tokens", "numeric", 90), "unknown"),
    ],
)
def test_a_change_in_its_own_unit(one: Detectable, told: str) -> None:
    """Rates move in points, numbers in per cent; what nothing would notice is told from what nobody knows."""
    assert page.change(one, one.within_day) == told


def test_what_is_never_noticed_says_so() -> None:
    """An unlimited delay is a word and not a large number."""
    one = Detectable(
        HERE, "output_tokens", "numeric", 900, 240.0, 9.0, expected_delay=[Delay(-0.1), Delay(0.2, 9, 3.0)]
    )
    assert page.soon(one) == "−10 %: never, +20 %: 3 days"


def test_the_address_finds_a_model(open_page: Open) -> None:
    """A link shows what its sender looked for."""
    app = open_page("detectability", find="mistral")
    assert list(app.dataframe[0].value["target"]) == ["mistral-large at mistral_ai via litellm-prod"]


def test_an_empty_monitor_says_when_it_begins(api: FakeApi, open_page: Open) -> None:
    """Before the first baseline nothing can be noticed."""
    api.answers["/v1/detectability"] = {"signals": []}
    app = open_page("detectability")
    assert app.title[0].value == "Nothing can be noticed yet"


def test_changes_that_add_up_are_shown(api: FakeApi, open_page: Open) -> None:
    """The last days against an older baseline, where the two differ."""
    row = {
        "target": target("gpt-4o"),
        "signal": "output_tokens",
        "effect": {"name": "ratio", "value": 0.8, "ci95": [0.77, 0.83]},
        "baseline_version": 1,
        "baseline_end": time.time() - 86400 * 40,
        "changed": True,
    }
    api.answers["/v1/memory"] = {"days": 7.0, "signals": [row, row | {"signal": "refusal", "changed": False}]}
    app = open_page("detectability", view="beside every baseline")
    assert app.title[0].value == "1 comparison at 1 target differ"
    assert "answer length down 20 % (17 to 23 %) since baseline 1 of " in texts(app)


@pytest.mark.parametrize("view", page.VIEWS)
@pytest.mark.parametrize("bad", [*HOSTILE, "x" * 300])
def test_hostile_names_stay_text(api: FakeApi, open_page: Open, bad: str, view: str) -> None:
    """Names from logs become no markup and no formula."""
    row = api.answers["/v1/detectability"]["signals"][0]
    row |= {"target": target(bad, bad, bad, bad), "signal": bad}
    effect = {"name": bad, "value": 0.8, "ci95": [0.7, 0.9]}
    api.answers["/v1/memory"] = {
        "signals": [{"target": row["target"], "signal": bad, "effect": effect, "changed": True}]
    }
    harmless(open_page("detectability", view=view))


def test_two_hundred_targets_fit(api: FakeApi, open_page: Open) -> None:
    """A large fleet is one table."""
    row = api.answers["/v1/detectability"]["signals"][0]
    api.answers["/v1/detectability"]["signals"] = [row | {"target": target(f"m{i}")} for i in range(200)]
    app = open_page("detectability")
    assert not app.exception
    assert len(app.dataframe[0].value) == 200
