"""The evaluator that OpenFeature's flagd provider runs, on the file that `undertow weights sync flagd` wrote."""

import json
import subprocess
from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from bench.environments import python
from tests.routers.test_adapters import FLAGS, entry

from undertow.routers import flagd, places
from undertow.routers.scale import applied

pytestmark = pytest.mark.flagd

HERE = Path(__file__).parents[1] / "flagd"
GIVE_OR_TAKE = 0.03
"""Of a share, with five thousand users that a hash spreads."""

Shares = dict[str, dict[str, float]]


@pytest.fixture(name="shares")
def _shares(tmp_path: Path, without: Any) -> Callable[..., Shares]:
    """Flag to variant to share of the users, with these entries of the feed applied to a file of flags."""
    try:
        interpreter = python("flagd", HERE / "requirements.lock")
    except subprocess.CalledProcessError as error:
        without(f"the environment of flagd's evaluator cannot be made: {error}")

    def shares(document: Any, told: Sequence[Any] = (), memory: Any = None) -> Shares:
        path = tmp_path / "flags.json"
        places.file(path).write(applied(flagd.ADAPTER, document, told, memory or {})[0])
        command = [interpreter, HERE / "resolve.py", path]
        resolved: Shares = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=120).stdout)
        return resolved

    return shares


@pytest.fixture(name="flags")
def _flags() -> Any:
    """Those of the other tests whose variants are texts."""
    return {"flags": {key: flag for key, flag in deepcopy(FLAGS)["flags"].items() if key != "plain"}}


def near(share: float) -> Any:
    """That share, as a hash gives it."""
    return pytest.approx(share, abs=GIVE_OR_TAKE)


def test_requests_follow_the_weights_and_come_back(flags: Any, shares: Any) -> None:
    """Half and half, then what a twentieth leaves, then half and half again."""
    told = [entry(0.05, deployment="d0")]
    assert shares(flags)["route"] == {"d0": near(0.5), "d1": near(0.5)}
    assert shares(flags, told)["route"] == {"d0": near(1 / 21), "d1": near(20 / 21)}
    assert shares(flags, told)["shorthand"] == {"d0": near(1 / 21), "x": near(20 / 21)}
    lowered, memory = applied(flagd.ADAPTER, flags, told, {})
    assert shares(lowered, (), memory)["route"] == {"d0": near(0.5), "d1": near(0.5)}


def test_the_largest_weights_are_still_shares(flags: Any, shares: Any) -> None:
    """Where they would add up to more than flagd counts, it would send everybody to the default variant."""
    flags["flags"]["shorthand"]["targeting"]["fractional"] = [["d0", flagd.MOST // 2], ["x", flagd.MOST // 2]]
    told = [entry(0.333, deployment="d0")]
    assert shares(flags, told)["shorthand"] == {"d0": near(0.25), "x": near(0.75)}


def test_rules_that_flags_share_and_rules_in_rules_keep_their_proportions(flags: Any, shares: Any) -> None:
    """`$evaluators` are scaled, and so is what stands beside a rule in place of a variant."""
    split = {"fractional": [["d0", 1], ["d1", 1]]}
    variants = {name: name for name in ("d0", "d1", "x")}
    flags["$evaluators"] = {"split": split}
    flags["flags"]["route"]["targeting"] = {"$ref": "split"}
    flags["flags"]["shorthand"] |= {"variants": variants, "targeting": {"fractional": [["x", 1], [deepcopy(split), 1]]}}
    found = shares(flags, [entry(0.25, deployment="x"), entry(0.25, deployment="d0")])
    assert found["route"] == {"d0": near(0.2), "d1": near(0.8)}
    assert found["shorthand"]["x"] == near(0.2)
