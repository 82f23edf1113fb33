"""Labelled streams of real answers: features of GPT-3.5 and GPT-4, March and June 2023, asked the same questions.

The features of an answer are drawn again and again, each time a little longer or shorter, by a Poisson process that
follows the hour; latencies have the noise of real providers, the load of the hour, and half hours that are slow
together. Resampling a thousand questions understates how different real ones are, so delays are figures of a benchmark.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from undertow_collectors.scenarios import DAY_S
from undertow_collectors.simulate import EPOCH, arrivals, load

FEATURES = Path(__file__).parents[1] / "fixtures" / "features"
PER_DAY = 5_000
BEFORE, AFTER = 13_000, 8_000
JITTER, MEASURED, LIMIT = 0.2, 0.05, 768
TARGET = {"provider": "openai", "model": "gpt"}
STYLE = ("type_token", "punct_rate", "mean_word_len", "upper_rate", "zratio", "lines")

Columns = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Change:
    """Who answers before and after, and what else changes: factors on sizes and times, and the parse failures' rate."""

    before: str
    after: str = ""
    length: float = 1.0
    latency: float = 1.0
    parse_failures: float = 0.01

    @property
    def cause(self) -> str:
        """What a monitor should call it."""
        if self.latency != 1:
            return "infrastructure"
        return "provider_update" if self.after or self.length != 1 or self.parse_failures != 0.01 else "none"


STREAMS = {
    "null-gpt35": Change("gpt-3.5-turbo-0301"),
    "null-gpt4": Change("gpt-4-0314"),
    "swap-gpt35": Change("gpt-3.5-turbo-0301", "gpt-3.5-turbo-0613"),
    "swap-gpt4": Change("gpt-4-0314", "gpt-4-0613"),
    "length-minus-10": Change("gpt-3.5-turbo-0613", length=0.9),
    "length-plus-5": Change("gpt-3.5-turbo-0613", length=1.05),
    "parse-1-to-3": Change("gpt-4-0314", parse_failures=0.03),
    "latency-plus-20": Change("gpt-4-0314", latency=1.2),
}


def write(folder: Path, seeds: int = 1, kinds: Iterable[str] = STREAMS) -> None:
    """Streams of these kinds with so many seeds, in the words of `scoring`; about 21,000 spans each."""
    answers, latencies = (pq.read_table(FEATURES / f"{name}.parquet") for name in ("answers", "latency"))
    noise = _noise(latencies)
    for kind in kinds:
        change = STREAMS[kind]
        for seed in range(1, seeds + 1):
            columns = _columns(answers, noise, change, np.random.default_rng([seed, *kind.encode()]))
            _write(folder / f"{kind}.real-{seed:02d}", change, columns)


def _answers(table: Any, model: str) -> Columns:
    rows = table.filter(np.asarray(table["model"].to_pylist()) == model).sort_by("id")
    return {name: np.asarray(rows[name]) for name in rows.column_names if name not in ("model", "id")}


def _noise(latencies: Any) -> tuple[np.ndarray, np.ndarray]:
    """Latencies as multiples of the median of their provider and model: to the first token, and between tokens."""
    names = [f"{row['provider']}/{row['model']}" for row in latencies.select(["provider", "model"]).to_pylist()]
    _, group = np.unique(names, return_inverse=True)
    columns = (np.asarray(latencies[name]) for name in ("ttft_s", "itl_s"))
    first, each = (x / np.array([np.median(x[group == g]) for g in range(group.max() + 1)])[group] for x in columns)
    return np.clip(first, 0.3, 6), np.clip(each, 0.3, 4)


def _columns(table: Any, noise: tuple[np.ndarray, np.ndarray], change: Change, rng: np.random.Generator) -> Columns:
    n = BEFORE + AFTER
    at = arrivals(rng, EPOCH, EPOCH + 1.2 * n / PER_DAY * DAY_S, PER_DAY)[:n]
    later = np.arange(n) >= BEFORE
    old = _answers(table, change.before)
    new = _answers(table, change.after or change.before)
    question = rng.integers(0, len(old["chars"]), n)
    drawn = {name: np.where(later, new[name][question], old[name][question]) for name in old}
    jitter = np.exp(rng.normal(0, JITTER, n)) * np.where(later, change.length, 1.0)
    wanted = np.maximum(1, np.round(drawn["approx_tokens"] * jitter))
    output = np.minimum(wanted, LIMIT).astype(int)
    busy = _sway(rng, at) * (0.7 + 0.3 * load(at)) * np.where(later, change.latency, 1.0)
    ttft = 0.4 * rng.choice(noise[0], n) * busy
    return {
        "at": at,
        "input_tokens": drawn["prompt_tokens"] + rng.integers(0, 3, n),
        "output_tokens": output,
        "response_chars": np.maximum(1, drawn["chars"] * jitter * output / wanted).astype(int),
        "ttft_s": ttft,
        "duration_s": ttft + 0.016 * rng.choice(noise[1], n) * busy * output,
        "finish_reason": np.where(wanted > LIMIT, "length", "stop"),
        "parse_ok": rng.random(n) >= np.where(later, change.parse_failures, 0.01),
        "refusal": drawn["refusal"].astype(bool),
        "has_list": (drawn["bullets"] > 0) | (drawn["numbered"] > 0),
        "has_markdown": (drawn["bold"] > 0) | (drawn["headings"] > 0),
    } | {name: drawn[name] * np.exp(rng.normal(0, MEASURED, n)) for name in STYLE}


def _sway(rng: np.random.Generator, at: np.ndarray) -> np.ndarray:
    """Half hours that are a little slower or faster, each like the one before."""
    slot = ((at - at[0]) // 1800).astype(int)
    level = np.zeros(slot.max() + 1)
    for i in range(1, len(level)):
        level[i] = 0.8 * level[i - 1] + rng.normal(0, 0.02)
    return np.exp(level[slot])


def _write(path: Path, change: Change, columns: Columns) -> None:
    rows = {name: column.tolist() for name, column in columns.items()}
    names = [name for name in rows if name not in ("at", "has_list", "has_markdown", *STYLE)]
    with path.with_name(f"{path.name}.jsonl").open("w") as file:
        for i, at in enumerate(rows["at"]):
            span = {"span_id": f"{path.name}-{i}", "started_at": at, "gateway": "study", **TARGET, "stream": True}
            own = {name: rows[name][i] for name in ("has_list", "has_markdown", *STYLE)}
            file.write(json.dumps(span | {name: rows[name][i] for name in names} | {"signals": own}) + "\n")
    truth = {
        "name": path.name, "cause": change.cause, "target": TARGET, "spans": len(rows["at"]), "onset": BEFORE,
        "gradual": 0, "onset_at": rows["at"][BEFORE],
        "lanes": {"none": [], "infrastructure": ["performance"]}.get(change.cause, ["content"]),
    }  # fmt: skip
    path.with_name(f"{path.name}.truth.json").write_text(json.dumps(truth) + "\n")
