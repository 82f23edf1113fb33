"""One customer with thousands of requests: it is no change of the provider, and hides none."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from undertow.span import Span, Target
from undertow.watch import controls, explaining
from undertow.watch.baseline import Baseline
from undertow.watch.events import Event
from undertow.watch.frame import TENANT, Frame, by_target
from undertow.watch.tenants import Tenants
from undertow_collectors import simulate
from undertow_collectors.scenarios import DAY_S, GPT_4O, SCENARIOS, UPDATE, Scenario
from undertow_detectors import crowding

Make = Callable[..., Any]
ONSET = simulate.EPOCH + 3 * DAY_S
HERE = Target("g", "openai", "gpt-4o", None)
DRIFT = Event("drift", 100.0, 50.0, 1, "output_tokens", "down", 6.0)
BURST = SCENARIOS["tenant-burst"]


def requests(scenario: Scenario, seed: int = 1) -> list[Span]:
    """Three days as before and half a day after the onset, of one target."""
    return list(simulate.traffic(scenario, seed, days=3.5, per_day=2500, fleet=(GPT_4O,)))


def halved(spans: list[Span], tenant: str) -> list[Span]:
    """From the onset on one tenant gets answers half as long: it asks for something else, as often as before."""
    return [
        msgspec.structs.replace(s, output_tokens=s.output_tokens // 2 + 1)
        if s.output_tokens and s.ended_at > ONSET and s.labels == {"tenant": tenant}
        else s
        for s in spans
    ]


def told(monitor: Any) -> tuple[Any, ...]:
    """Everything that people see."""
    return monitor.store.incidents(), monitor.store.notices(), monitor.watcher.targets()


def uncounted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every answer counts in full."""
    monkeypatch.setattr(Tenants, "weigh", lambda *_: None)


# the column


def frame(labels: list[dict[str, str] | None], status: str = "ok") -> Frame:
    """Spans with these labels and little else."""
    n = len(labels)
    texts = ("gateway", "deployment", "route", "finish_reason", "response_model", "system_fingerprint")
    numbers = ("fallback", "input_tokens", "output_tokens", "parse_ok", "refusal")
    columns = dict.fromkeys((*texts, "prompt_version"), pa.nulls(n, pa.string()))
    columns |= dict.fromkeys(numbers, pa.nulls(n, pa.float64()))
    columns |= dict.fromkeys(("provider", "model", "operation"), pa.array(["x"] * n))
    columns |= {"span_id": pa.array(map(str, range(n))), "ended_at": pa.array(np.arange(float(n)))}
    maps = pa.array([None if one is None else list(one.items()) for one in labels], pa.map_(pa.string(), pa.string()))
    [(_, made)] = by_target(pa.table(columns | {"status": pa.array([status] * n), "labels": maps}))
    return made


def test_the_label_becomes_a_column() -> None:
    """`labels.tenant` is read where a span has it, and unknown elsewhere."""
    names = frame([{"tenant": "a", "team": "x"}, None, {}, {"team": "x"}, {"tenant": "b"}]).names(TENANT)
    assert [names.values[code] if code >= 0 else None for code in names.codes] == ["a", None, None, None, "b"]


def test_spans_without_the_label_have_no_column() -> None:
    """Other labels, or none, cost nothing and weigh nothing."""
    for made in (frame([None, None]), frame([{"team": "x"}, {}])):
        assert TENANT not in made.more
        assert Tenants.learn(made) is None
        assert Tenants(np.zeros(500, np.int64)).weigh(made) is None


def test_too_few_labels_in_the_baseline_are_none() -> None:
    """Under 500 answers that say who asked nothing is weighed, and answers that failed are not among them."""
    assert Tenants.learn(frame([{"tenant": "a"}] * 499)) is None
    assert Tenants.learn(frame([{"tenant": "a"}] * 500)) is not None
    assert Tenants.learn(frame([{"tenant": "a"}] * 500, status="error")) is None


def test_who_does_not_say_counts_in_full_and_is_not_counted() -> None:
    """Unlabelled answers weigh one and leave the weights of the others as they are."""
    labels = [{"tenant": "a"}, {"tenant": "b"}] * 300
    learned, again = Tenants.learn(frame(labels)), Tenants.learn(frame(labels))
    assert learned is not None
    assert again is not None
    crowd = [{"tenant": "a"}] * 200
    mixed = learned.weigh(frame([one for label in crowd for one in (label, None)]))
    alone = again.weigh(frame(crowd))
    assert mixed is not None
    assert alone is not None
    assert (mixed[1::2] == 1).all()
    assert np.array_equal(mixed[::2], alone)
    assert alone[-1] < 0.1


# the whole of detection


def test_a_burst_of_one_tenant_is_no_incident(monitor: Make) -> None:
    """40 % of the requests from a tenant with short answers: nothing is raised and nobody blamed."""
    assert monitor().finish(requests(BURST)).store.incidents() == []


def test_without_weights_the_burst_is_seen_and_not_blamed(monitor: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: the same burst alarms, and what only one tenant's answers show stays unresolved."""
    uncounted(monkeypatch)
    one = monitor().finish(requests(BURST))
    [incident] = one.store.incidents()
    assert (incident["cause"], incident["why"]) == ("unresolved", ["one_tenant_moved", "run_golden_set"])
    assert any('the tenant "tenant-13"' in notice["text"] for notice in one.store.notices())


def test_without_either_the_burst_is_blamed(monitor: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: with neither weights nor the rule the burst passes for an update of the provider."""
    uncounted(monkeypatch)
    monkeypatch.setattr(explaining, "by_tenant", lambda *_: None)
    [incident] = monitor().finish(requests(BURST)).store.incidents()
    assert incident["cause"] == "provider_update"


def test_one_tenant_that_asks_something_else_is_not_blamed(monitor: Make) -> None:
    """The most frequent tenant at its old share, its answers half as long: unresolved, and the tenant is named."""
    one = monitor().finish(halved(requests(replace(SCENARIOS["none"], tenants=40)), "tenant-01"))
    [incident] = one.store.incidents()
    assert (incident["cause"], incident["why"][0]) == ("unresolved", "one_tenant_moved")


def test_an_update_is_found_as_soon_with_tenants(monitor: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A silent update among 40 tenants is the provider's, and takes at most a quarter more requests than unweighted."""
    spans = requests(replace(SCENARIOS["silent-update"], tenants=40))
    [weighed] = monitor().finish(spans).store.incidents()
    uncounted(monkeypatch)
    [full] = monitor().finish(spans).store.incidents()
    before = sum(span.ended_at < ONSET for span in spans)
    assert weighed["cause"] == full["cause"] == "provider_update"
    assert weighed["opened_after_spans"] - before <= 1.25 * (full["opened_after_spans"] - before)


def test_an_update_is_found_within_a_burst_and_batches_do_not_matter(monitor: Make) -> None:
    """Update and burst at once are the provider's; batches and restarts between any two of them change nothing."""
    spans = requests(replace(BURST, behaviour=replace(UPDATE, burst=0.4)))
    expected = told(monitor().finish(spans))
    [incident] = expected[0]
    assert incident["cause"] == "provider_update"
    one = monitor()
    for begin in range(0, len(spans), 977):
        one.take(spans[begin : begin + 977])
        one.restart()
    assert told(one.finish()) == expected


def test_a_state_that_forgets_who_asked_would_be_noticed(monitor: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: without the saved tenants a restart during the burst gives other evidence."""
    spans = requests(BURST)
    cut = next(i for i, span in enumerate(spans) if span.ended_at > ONSET + DAY_S / 4)
    spans = spans[: cut + 50]
    expected, one = told(monitor().finish(spans)), monitor()
    one.take(spans[:cut])
    monkeypatch.setattr(crowding.State, "from_bytes", lambda _: crowding.State.start(np.empty(0, np.int64)))
    one.restart()
    assert told(one.finish(spans[cut:])) != expected


# the check


class Answers:
    """Stands for a target whose only stream moved by given values."""

    target = HERE

    def __init__(self, moves: np.ndarray, before: Frame | None = None) -> None:
        self._moves = moves
        self.baseline = before and Baseline(before, len(before), len(before), 0.0, 1.0)

    def stream(self, _: str) -> "Answers":
        """The only stream."""
        return self

    def moves(self, frame: Frame, _: str, __: str, seeds: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """What `Stream.moves` measured: of the baseline, whose rows need seeds, that the tenant "b" always is lower."""
        names = frame.names(TENANT)
        usual = np.array([0.1 if code >= 0 and names.values[code] == "b" else -0.1 for code in names.codes])
        return (self._moves if seeds is None else usual), np.ones(len(frame), bool)


SPREAD = np.linspace(-0.3, 0.3, 400)
BEFORE = frame([{"tenant": "a"}, {"tenant": "b"}] * 400)


@pytest.mark.parametrize(
    ("tenants", "moves", "kind"),
    [
        ("a" * 400 + "b" * 400, np.concatenate([SPREAD + 0.3, SPREAD + 0.1]), "one_tenant"),
        ("a" * 400 + "b" * 400, np.concatenate([SPREAD + 0.1, SPREAD + 0.3]), "many_tenants"),
        ("a" * 400 + "b" * 400, np.concatenate([SPREAD, SPREAD + 0.2]), "many_tenants"),
        ("a" * 100 + "b" * 400, np.concatenate([SPREAD[::4] - 0.1, SPREAD + 0.1]), "one_tenant"),
        ("a" * 400 + "b" * 4, np.concatenate([SPREAD, np.zeros(4) + 0.1]), None),
        ("a" * 400, SPREAD + 0.4, None),
        ("-" * 400, SPREAD + 0.4, None),
        ("a" * 400 + "-" * 400, np.concatenate([SPREAD + 0.4, SPREAD]), "one_tenant"),
    ],
)
def test_one_tenant_accounts_for_a_change_that_the_others_do_not_share(
    tenants: str, moves: np.ndarray, kind: str | None
) -> None:
    """Others that moved by a third, surely, are many; less than all, surely, is one; few others decide nothing."""
    made = frame([None if name == "-" else {"tenant": name} for name in tenants])
    found = controls.by_tenant(Answers(moves, BEFORE), DRIFT, made)
    assert (found and found.kind) == kind


def test_where_nobody_says_who_asked_the_check_says_nothing() -> None:
    """No labels, or no spans."""
    made, unlabelled = frame([{"tenant": "a"}, {"tenant": "b"}] * 200), frame([None] * 400)
    for before, after in ((BEFORE, None), (BEFORE, unlabelled), (unlabelled, made), (None, made)):
        assert controls.by_tenant(Answers(SPREAD + 0.4, before), DRIFT, after) is None
