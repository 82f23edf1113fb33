"""Run inside the environment of `peers`: a detector's alarms on the columns of an .npz file, as one line of JSON."""

import json
import sys
import time
import warnings
from collections.abc import Iterator, Mapping

import numpy as np

CHUNK = 1000
MUTED = 500


def river_adwin(columns: Mapping[str, np.ndarray], _: int) -> Iterator[tuple[str, list[int]]]:
    """ADWIN at its defaults on every column; after an alarm the column is muted for a while."""
    from river.drift import ADWIN

    for name, column in columns.items():
        detector, rows = ADWIN(), []
        known = np.flatnonzero(~np.isnan(column))
        for row, value in zip(known.tolist(), column[known].tolist(), strict=True):
            detector.update(value)
            if detector.drift_detected and (not rows or row - rows[-1] > MUTED):
                rows.append(row)
        yield name, rows


def nannyml(columns: Mapping[str, np.ndarray], reference: int) -> Iterator[tuple[str, list[int]]]:
    """Jensen-Shannon distance by chunks at the defaults; an alarm is known at the end of its chunk."""
    groups: dict[str, dict[str, np.ndarray]] = {}
    for name, column in columns.items():
        groups.setdefault(name.partition("/")[0], {})[name] = column
    for group in groups.values():
        yield from _univariate(group, reference)


def _univariate(columns: Mapping[str, np.ndarray], reference: int) -> Iterator[tuple[str, list[int]]]:
    import pandas as pd
    from nannyml import UnivariateDriftCalculator

    frame = pd.DataFrame(dict(columns)).dropna(axis="columns", how="all")
    for name in frame:
        if frame[name].dropna().isin((0.0, 1.0)).all():
            frame[name] = frame[name].map({0.0: "no", 1.0: "yes"}).astype("category")
    calculator = UnivariateDriftCalculator(column_names=list(frame), chunk_size=CHUNK)
    calculator.fit(frame.iloc[:reference])
    found = calculator.calculate(frame.iloc[reference:]).filter(period="analysis").to_df()
    ends = found[("chunk", "chunk", "end_index")].to_numpy()
    for name in frame:
        yield name, ends[found[(name, "jensen_shannon", "alert")].to_numpy(bool)].tolist()


def main(peer: str, file: str, reference: str) -> None:
    """Print what the peer found and the CPU seconds it took, imports left out."""
    warnings.simplefilter("ignore")
    with np.load(file) as data:
        columns = {name: data[name] for name in data.files}
    detect = {"river-adwin": river_adwin, "nannyml": nannyml}[peer]
    dict(detect({"warm/up": np.arange(3.0 * CHUNK)}, CHUNK))
    began = time.process_time()
    alarms = dict(detect(columns, int(reference)))
    cpu_s = time.process_time() - began
    values = sum(int((~np.isnan(column)).sum()) for column in columns.values())
    print(json.dumps({"cpu_s": cpu_s, "values": values, "alarms": alarms}))


if __name__ == "__main__":
    main(*sys.argv[1:])
