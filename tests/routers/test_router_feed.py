from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.routers.feed import Deployment, Followed, of

TARGET = {"gateway": "litellm", "provider": "openai", "model": "gpt-4o", "deployment": "d0"}
HERE = Deployment("litellm", "openai", "gpt-4o", "d0")


def feed(multiplier: Any = 0.2, mode: str = "enforce", expires_at: float | None = None, **target: Any) -> Any:
    """A feed that is good for ten minutes and speaks of one target."""
    entry = {"target": TARGET | target, "multiplier": multiplier, "expires_at": expires_at}
    return {"version": 1, "generated_at": 1000.0, "expires_at": 1600.0, "mode": mode, "weights": [entry]}


def followed(document: Any, at: float = 0.0) -> Followed:
    """Who took it then."""
    one = Followed()
    one.take(document, '"1"', at)
    return one


def test_it_is_believed_until_it_is_stale() -> None:
    """For as long as the feed says, by the consumer's own clock; a 304 begins that anew."""
    one = followed(feed())
    assert len(one.weights(599.0)) == 1
    assert one.weights(600.0) == []
    one.renew(700.0)
    assert len(one.weights(1299.0)) == 1


def test_it_is_not_believed_before_it_was_asked_for() -> None:
    """Which a clock that was set back says."""
    assert followed(feed(), at=1e6).weights(1e6 - 1.0) == []


def test_advisory_changes_nothing() -> None:
    """The same entries are served, and nobody obeys."""
    assert followed(feed(mode="advisory")).weights(0.0) == []


def test_an_entry_ends_with_its_own_expiry() -> None:
    """Which is by the feed's own clock, however wrong that of the consumer is: an override of an hour holds so long."""
    one = followed(feed(expires_at=1300.0), at=7e9)
    assert (len(one.weights(7e9 + 299.0)), len(one.weights(7e9 + 300.0))) == (1, 0)


def test_before_the_first_feed_nothing_is_changed() -> None:
    """Nor does a 304 that nobody asked for make one."""
    one = Followed()
    one.renew(0.0)
    assert one.weights(0.0) == []


@pytest.mark.parametrize(
    ("target", "multiplier"),
    [
        ({}, 0.2),
        ({"deployment": None}, 0.2),
        ({"gateway": None, "provider": None}, 0.2),
        ({"deployment": "d1"}, 1.0),
        ({"model": "gpt-4o-mini"}, 1.0),
        ({"gateway": "kong"}, 1.0),
    ],
)
def test_unknown_parts_of_a_target_match(target: dict[str, Any], multiplier: float) -> None:
    """What a log does not show is null in the feed; what is known has to be the same."""
    assert of(HERE, followed(feed(**target)).weights(0.0)) == multiplier


@pytest.mark.parametrize(
    "document",
    [
        {},
        [],
        None,
        {"weights": 1},
        feed(2.0),
        feed("x"),
        feed(float("nan")),
        feed(None),
        feed(10**400),
        feed(expires_at="x"),  # type: ignore[arg-type]
        feed(mode=None),  # type: ignore[arg-type]
        feed() | {"weights": [{"target": {}, "multiplier": 0.5}]},
        feed() | {"expires_at": float("nan")},
        feed() | {"expires_at": float("inf")},
        feed() | {"expires_at": 1e300},
        feed() | {"generated_at": None},
        feed() | {"generated_at": 10**400},
    ],
)
def test_what_is_no_feed_leaves_the_last_one(document: Any) -> None:
    """It is refused as a whole."""
    one = followed(feed())
    with pytest.raises((KeyError, TypeError, ValueError)):
        one.take(document, '"2"', 0.0)
    assert (one.etag, len(one.weights(0.0))) == ('"1"', 1)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.floats()
    | st.integers()
    | st.sampled_from([10**400, 0.5, "enforce"])
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*feed(), *TARGET, "target"]), inner),
    max_leaves=20,
)


@given(JSON)
def test_whatever_comes_is_a_feed_or_refused(document: Any) -> None:
    """Nothing else is raised, and what is taken can be asked."""
    one = Followed()
    try:
        one.take(document, None, 0.0)
    except (KeyError, TypeError, ValueError):
        return
    assert 0 <= of(HERE, one.weights(0.0)) <= 1
