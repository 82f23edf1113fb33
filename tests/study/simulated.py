"""Labelled streams from Undertow's own simulator: NAME.jsonl, and NAME.truth.json in the words of `scoring`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from undertow.span import Span
from undertow_collectors import payloads
from undertow_collectors.scenarios import CLAUDE_SONNET, DAY_S, GPT_4O, SCENARIOS, Scenario
from undertow_collectors.simulate import EPOCH, traffic

FLEET = (GPT_4O, CLAUDE_SONNET)
PER_DAY = 4_000.0
DAYS = 5.0
ONSET_DAYS = 3.25

STREAMS = {
    "null": "none",
    "mix-route": "mix-shift",
    "mix-length": "longer-prompts",
    "swap": "silent-update",
    "swap-gradual": "gradual-update",
    "swap-declared": "declared-update",
    "swap-and-mix": "update-in-mix-shift",
    "own-release": "own-release",
    "length-minus-10": "small-update",
    "parse-failures": "parse-failures",
    "refusals": "refusals",
    "cut-off": "cut-off",
    "slow": "slow",
}
"""Names of streams, as `scoring` groups them, and the scenarios behind them."""


def write(folder: Path, seeds: int = 1) -> None:
    """Every stream with so many seeds; about 40,000 spans each."""
    for kind, scenario in STREAMS.items():
        for seed in range(1, seeds + 1):
            _write(folder / f"{kind}.{seed:02d}", SCENARIOS[scenario], seed)


def _write(path: Path, scenario: Scenario, seed: int) -> None:
    spans = list(traffic(scenario, seed, days=DAYS, onset_days=ONSET_DAYS, per_day=PER_DAY, fleet=FLEET))
    with path.with_name(f"{path.name}.jsonl").open("wb") as file:
        file.writelines(payloads.native(span) + b"\n" for span in spans)
    truth = _truth(scenario, spans) | {"name": path.name, "seed": seed}
    path.with_name(f"{path.name}.truth.json").write_text(json.dumps(truth) + "\n")


def _truth(scenario: Scenario, spans: list[Span]) -> dict[str, Any]:
    onset_at = EPOCH + ONSET_DAYS * DAY_S
    own = [span.ended_at for span in spans if span.model == GPT_4O.model]
    return {
        "cause": "traffic_mix" if scenario.everywhere else scenario.cause,
        "lanes": sorted(_lanes(scenario)),
        "target": {"provider": GPT_4O.provider, "model": GPT_4O.model},
        "spans": len(own),
        "onset": sum(at < onset_at for at in own),
        "gradual": sum(onset_at <= at < onset_at + scenario.rollout_s for at in own),
        "onset_at": onset_at,
    }


def _lanes(scenario: Scenario) -> Iterator[str]:
    if scenario.cause == "infrastructure":
        yield "performance"
    elif scenario.cause != "none":
        yield "content"
