"""The page of the weights: what gateways are told, and who decided it."""

import time

import pytest

from .conftest import Open
from .fixtures import HOSTILE, HOUR, FakeApi, target
from .test_dash_pages import harmless, texts


def test_the_feed_in_words(open_page: Open) -> None:
    """Mode, share, cause and the last move are sentences; the feed stands below as served."""
    app = open_page("weights")
    assert not app.exception
    assert app.title[0].value == "1 target would get less traffic"
    said = texts(app)
    assert "no gateway follows it" in said
    assert "50 % of its usual share since " in said
    assert "Last: gpt-4o at openai via litellm-prod from 100 % to 50 %, 2 hours ago." in said
    assert list(app.dataframe[0].value["floor"]) == [0.05]


def test_enforced_is_told_from_advisory(api: FakeApi, open_page: Open) -> None:
    """When gateways follow the feed, the title says that they do."""
    api.answers["/v1/weights"]["mode"] = "enforce"
    assert open_page("weights").title[0].value == "1 target gets less traffic"


def test_nothing_lowered_is_calm(api: FakeApi, open_page: Open) -> None:
    """An empty feed is the usual state, and says so."""
    api.answers["/v1/weights"]["weights"] = []
    api.answers["/v1/weights/changes"] = {"changes": []}
    app = open_page("weights")
    assert app.title[0].value == "Every target has its usual weight"
    assert "No weight was ever moved." in texts(app)


def test_what_people_set_can_be_ended(api: FakeApi, open_page: Open) -> None:
    """Overrides and silences show their author, reason and end, and a button ends them."""
    now = time.time()
    api.answers["/v1/weights/overrides"] = {
        "overrides": [
            {"id": "ov_1", "target": target("m"), "multiplier": 0.2, "until": now + HOUR, "by": "Bo", "reason": "x"}
        ]
    }
    api.answers["/v1/silences"] = {
        "silences": [
            {
                "id": "si_1",
                "matchers": {"model": "m"},
                "ends_at": now + HOUR,
                "by": "Cy",
                "comment": "move",
                "active": True,
            }
        ]
    }
    app = open_page("weights")
    assert "set by Bo: x" in texts(app)
    assert "by Cy: move" in texts(app)
    app.text_input(key="name end ov_1").input("Ada").run()
    app.button(key="end ov_1").click().run()
    app.button(key="end si_1").click().run()
    assert [path for path, _ in api.posted] == ["/v1/weights/overrides?id=ov_1&by=Ada", "/v1/silences/si_1?by=Ada"]


def test_receivers_that_are_gone_are_shown(api: FakeApi, open_page: Open) -> None:
    """A channel that answered 410 is on the screen with its name."""
    api.answers["/v1/receivers"] = {"disabled": [{"channel": "webhook:ops", "detail": "http_410"}], "failing": []}
    app = open_page("weights")
    assert "webhook:ops" in texts(app)


@pytest.mark.parametrize("bad", [*HOSTILE, "x" * 300])
def test_hostile_text_stays_text(api: FakeApi, open_page: Open, bad: str) -> None:
    """Names in the feed and the audit trail become no markup."""
    where = target(bad, bad, bad, bad)
    for entry in (api.answers["/v1/weights"]["weights"][0], api.answers["/v1/weights/changes"]["changes"][0]):
        entry |= {"target": where, "reason": bad, "by": bad}
    app = open_page("weights")
    harmless(app)


def test_two_hundred_entries_are_shown(api: FakeApi, open_page: Open) -> None:
    """A provider-wide event lowers many at once."""
    weight = api.answers["/v1/weights"]["weights"][0]
    api.answers["/v1/weights"]["weights"] = [weight | {"target": target(f"m{i}")} for i in range(200)]
    app = open_page("weights")
    assert not app.exception
    assert app.title[0].value == "200 targets would get less traffic"
    assert len(app.dataframe[0].value) == 200
