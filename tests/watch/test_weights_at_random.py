"""Incidents, overrides, restarts and clocks in any order: none makes the policy break a promise of docs/weights.md."""

import math
from collections.abc import Mapping
from typing import Any

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.watch.test_weights import incident

from undertow.config import WeightsConfig
from undertow.errors import UsageError
from undertow.span import Target
from undertow.watch.override import Override
from undertow.watch.routing import Routing

FLEET = [Target("g", "openai", model, name) for model, name in ("xa", "xb", "xc", "ya", "yb", "z1")]
GROUPS, ALONE = (FLEET[:3], FLEET[3:5]), FLEET[5:]
NOW = 1e9


@st.composite
def configs(draw: Any) -> WeightsConfig:
    """Ladders, floors and caps of all kinds; steps are quick."""
    ladder = sorted(
        draw(st.lists(st.sampled_from([0.9, 0.5, 0.25, 0.05, 0.01]), min_size=1, unique=True)), reverse=True
    )
    dwell_s = draw(st.sampled_from([0.0, 100.0]))
    return WeightsConfig(
        mode="enforce",
        ladder=ladder,
        floor=draw(st.sampled_from([0.01, 0.05, 0.3])),
        dwell_s=dwell_s,
        recovery_s=dwell_s + draw(st.sampled_from([0.0, 200.0])),
        cap=draw(st.sampled_from([0.05, 0.2, 0.5, 1.0])),
    )


class Weights(RuleBasedStateMachine):
    """Two groups, of three and two, and a target that is alone."""

    @initialize(config=configs(), rates=st.lists(st.sampled_from([0.0, 1.0, 10.0]), min_size=6, max_size=6))
    def begin(self, config: WeightsConfig, rates: list[float]) -> None:
        """Nothing is lowered."""
        self.config, self.rates = config, dict(zip(FLEET, rates, strict=True))
        self.policy = Routing(config, self._rates)
        self.now, self.version, self.lowered = NOW, self.policy.published.version, set[Target]()
        self.held: Mapping[Target, float] = {}
        self.ids: list[str] = []

    def _rates(self) -> Mapping[Target, float]:
        return self.rates

    # ------------------------------------------------------------------- what happens

    @rule(whose=st.sets(st.sampled_from(FLEET)), seen=st.sets(st.sampled_from(FLEET)))
    def incidents(self, whose: set[Target], seen: set[Target]) -> None:
        """These stand, of which some were seen."""
        told = [incident(one, status="acknowledged" if one in seen else "open") for one in sorted(whose, key=str)]
        self.lowered = whose
        self.policy.learn(self.now, told)

    @rule(
        whose=st.sampled_from(FLEET), multiplier=st.sampled_from([0.0, 0.3, 0.5, 1.0]), for_s=st.sampled_from([1, 500])
    )
    def override(self, whose: Target, multiplier: float, for_s: float) -> None:
        """A person's word; it may be refused."""
        made = Override(whose, multiplier, self.now, self.now + for_s, "kim")
        known = made.id in self.ids
        self._look()
        try:
            self.policy.override(made)
        except UsageError:
            return
        self.ids.append(made.id)
        assert self.policy.multiplier(whose) == multiplier
        assert known or self._look()[-1]["by"] == "kim"

    @rule(data=st.data())
    def withdraw(self, data: Any) -> None:
        """One that stands, one that is over, or one that never was."""
        self.policy.withdraw(data.draw(st.sampled_from([*self.ids, "ov_none"])), "kim", self.now)

    @rule(seconds=st.sampled_from([1, 50, 100, 350, 3000]))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds
        self.policy.follow(self.now)

    @rule(seconds=st.sampled_from([5, 3600]))
    def set_back(self, seconds: float) -> None:
        """Somebody sets the clock right."""
        self.now -= seconds
        self.policy.follow(self.now)

    @rule(away_s=st.sampled_from([0, 30, 3000]))
    def restart(self, away_s: float) -> None:
        """A new process."""
        self._look()
        self.now += away_s
        self.policy = Routing.restored(self.policy.dump(), self.config, self._rates)
        self.policy.resume(self.now)

    # --------------------------------------------------------------------- what holds

    @invariant()
    def every_promise_holds(self) -> None:
        """Floor, group, cap, dwell and version."""
        if not hasattr(self, "policy"):
            return
        self._look()

    def _look(self) -> list[Any]:
        overridden = {one.target for one in self.policy.overrides()}
        ladder = {max(one, self.config.floor) for one in self.config.ladder} | {1.0}
        assert {self.policy.multiplier(one) for one in FLEET if one not in overridden} <= ladder
        assert all(any(self.policy.multiplier(one) == 1 for one in group) for group in GROUPS)
        entries = self.policy.published.weights
        assert all(0 <= entry["multiplier"] <= 1 for entry in entries)
        assert {Target(**e["target"]): e["multiplier"] for e in entries if e["multiplier"] < 1} == {
            one: value for one in FLEET if (value := self.policy.multiplier(one)) < 1
        }
        assert self.policy.published.version >= self.version
        self.version = self.policy.published.version
        return self._look_at_changes()

    def _look_at_changes(self) -> list[Any]:
        shares, changes = dict(self.held), self.policy.drain()
        for change in changes:
            one = Target(**change["target"])
            assert shares.get(one, 1.0) == change["before"]
            shares[one] = change["after"]
            if change["by"] == "undertow" and change["after"] < change["before"] and one not in ALONE:
                assert self._moved(shares) <= self.config.cap + 1e-9
        self.held = shares
        assert {t: v for t, v in shares.items() if v < 1} == {
            one: value for one in FLEET if (value := self.policy.multiplier(one)) < 1
        }
        return changes

    def _moved(self, shares: Mapping[Target, float]) -> float:
        total = sum(self.rates.values())
        moved = sum((1 - shares.get(one, 1.0)) * self.rates[one] for group in GROUPS for one in group)
        return moved / total if total else -math.inf

    def teardown(self) -> None:
        """Without incidents and overrides everything has its own weight again, however the clock went."""
        if not hasattr(self, "policy"):
            return
        self.policy.learn(self.now, [])
        for one in self.policy.overrides():
            self.policy.withdraw(one.id, "kim", self.now)
        self.now += 600 + (len(self.config.ladder) + 2) * (self.config.recovery_s + 1)
        self.policy.follow(self.now)
        assert self.policy.published.weights == ()


TestWeights = Weights.TestCase
TestWeights.settings = settings(max_examples=150, stateful_step_count=40, deadline=None, phases=[Phase.generate])
