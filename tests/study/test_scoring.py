"""How the study scores a monitor."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from tests.study import resampled
from tests.study.compare import always, read
from tests.study.scoring import Row, delays, figures, judge, table

TARGET = {"provider": "openai", "model": "gpt"}


def truth(cause: str, lanes: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    """A stream of 23,000 requests on which something happens at 13,000."""
    name = f"swap.{cause}" if lanes else cause
    return {"name": name, "cause": cause, "lanes": lanes, "onset": 13_000, "spans": 23_000, "gradual": 0,
            "target": TARGET} | more  # fmt: skip


def incident(after: int, cause: str = "provider_update", **target: str) -> dict[str, Any]:
    """One incident, on the stream's target unless told otherwise."""
    return {"opened_after_spans": after, "cause": cause, "target": TARGET | target}


SWAP = truth("provider_update", ("content",))


def test_the_first_alarm_in_the_right_lane_is_the_hit() -> None:
    """Delay is counted from the onset to the first incident of the lane that changed, and its cause is the label."""
    row = judge(SWAP, [incident(15_000), incident(13_100, "infrastructure"), incident(13_500)])
    assert (row.delay, row.labelled, row.wrong_lane, row.false) == (500, True, True, 0)


@pytest.mark.parametrize("after", [13_000, 18_001])
def test_too_early_or_too_late_is_no_hit(after: int) -> None:
    """Only incidents in the 5,000 requests after the onset count; one before it is false."""
    row = judge(SWAP, [incident(after)])
    assert not row.hit
    assert row.false == (after == 13_000)


def test_a_gradual_change_may_be_found_while_it_comes() -> None:
    """The length of the roll-out is added to the time allowed."""
    assert judge(SWAP | {"gradual": 2_000}, [incident(19_500)]).hit


def test_every_alarm_where_nothing_changed_is_false() -> None:
    """Incidents after the onset of a mix shift are false, and blame the provider when they say so."""
    unresolved, blaming = (
        judge(truth("traffic_mix"), [incident(14_000, c)]) for c in ("unresolved", "provider_update")
    )
    assert (unresolved.false, unresolved.blamed) == (1, False)
    assert (blaming.false, blaming.blamed) == (1, True)


def test_alarms_on_other_targets_are_false() -> None:
    """A target that stayed the same may not alarm, whatever its neighbour does."""
    row = judge(SWAP, [incident(13_400, model="other"), incident(13_600)])
    assert (row.false, row.delay) == (1, 600)


def test_an_unresolved_change_may_be_called_an_update() -> None:
    """Where both moved either name is right, elsewhere only the true one is."""
    both = truth("unresolved", ("content",))
    assert judge(both, [incident(13_500)]).labelled
    assert not judge(SWAP, [incident(13_500, "unresolved")]).labelled


def test_the_dummies_are_worth_nothing() -> None:
    """Always firing finds everything and never firing raises no false alarm; hits less false alarms are 0 for both."""
    streams = [SWAP, truth("none"), truth("traffic_mix"), truth("provider_update", ("content",))]
    loud = figures([judge(t, always(t["spans"])) for t in streams])
    silent = figures([judge(t, []) for t in streams])
    assert (loud["swaps_hit"], loud["mix_blamed"], loud["hit_minus_false"]) == (1, 1, 0)
    assert loud["swap_median_delay"] == 500
    assert (silent["swaps_hit"], silent["false_per_10k"], silent["hit_minus_false"]) == (0, 0, 0)
    assert silent["swap_median_delay"] == math.inf


def test_false_alarms_are_counted_by_exposure() -> None:
    """Two false alarms in 13,000 requests after the first 10,000 are 1.54 in 10,000."""
    row = judge(truth("none"), [incident(12_000), incident(20_000)])
    assert figures([row])["false_per_10k"] == pytest.approx(2 / 1.3)


def test_the_table_names_every_monitor() -> None:
    """One line each, and a figure that no stream tells is nan."""
    rows: list[Row] = [judge(SWAP, [incident(13_500)])]
    shown = table({"undertow": rows, "never": rows}).splitlines()
    assert [line.split()[0] for line in shown[1:]] == ["undertow", "never"]
    assert "nan" in shown[1]
    assert delays(rows) == {"swap": 500}


def test_peers_get_columns_in_the_order_in_which_calls_ended(tmp_path: Path) -> None:
    """What is missing is NaN, what is text is left out, and a long call stands where it ended."""
    spans = [
        {"started_at": 0.0, "duration_s": 9.0, "output_tokens": 4, "finish_reason": "length", "ttft_s": 1.0},
        {"started_at": 1.0, "duration_s": 1.0, "output_tokens": 7, "signals": {"words": 3, "tone": "warm"}},
    ]
    file = tmp_path / "a.jsonl"
    file.write_text("\n".join(json.dumps(TARGET | span) for span in spans))
    columns = read(file)["openai", "gpt"]
    assert set(columns) == {"output_tokens", "cut_off", "ttft_s", "s_per_token", "words"}
    assert columns["output_tokens"].tolist() == [7, 4]
    assert columns["s_per_token"].tolist()[1] == 2
    assert math.isnan(columns["words"][1])


def test_streams_of_real_answers_are_what_their_truth_says(tmp_path: Path) -> None:
    """The same seed gives the same spans; after the onset answers are longer, and a null names no lane."""
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        resampled.write(folder, kinds=("null-gpt4", "swap-gpt35"))
    one, other = ((tmp_path / name / "swap-gpt35.real-01.jsonl").read_bytes() for name in "ab")
    assert one == other
    told = json.loads((tmp_path / "a" / "swap-gpt35.real-01.truth.json").read_text())
    tokens = [json.loads(line)["output_tokens"] for line in one.splitlines()]
    assert len(tokens) == told["spans"]
    before, after = tokens[: told["onset"]], tokens[told["onset"] :]
    assert sum(after) / len(after) > 1.1 * sum(before) / len(before)
    quiet = json.loads((tmp_path / "a" / "null-gpt4.real-01.truth.json").read_text())
    assert (quiet["cause"], quiet["lanes"]) == ("none", [])
