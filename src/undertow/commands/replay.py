"""`undertow replay`: the same decode, store and detection over files, in event time."""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import msgspec

from undertow import progress
from undertow.batch import Batch, Committed
from undertow.commands.inputs import Tally, add_arguments, opened, run_decoder
from undertow.commands.replay_report import is_open, report, summary
from undertow.config import AlertsConfig, Config
from undertow.loading import load
from undertow.store import Store
from undertow.watch.loop import Watcher
from undertow_collectors import pump

EXAMPLE = "undertow replay requests.jsonl.gz --json > report.json"


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_arguments(parser)
    parser.add_argument("--db", metavar="FILE", type=Path, help="keep the database (default: in memory)")
    parser.add_argument("--json", action="store_true", help="print the report as one JSON object")
    progress.add_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Replay the files and print the report; 1 where an incident is open at the end, BadData where nothing was read."""
    config = _silent(load(args.config, os.environ))
    tally, committed = Tally(), Committed()
    with (
        Store.open(args.db, config=config.store, lateness_s=config.detect.lateness_s, clock=None) as store,
        progress.bar(args.progress, "spans") as bar,
    ):
        watcher = Watcher(store, config, _EventTime(store), replayed=True)
        for batch in pump.batches(
            opened(args.paths), run_decoder(args.format, config), lateness_s=config.detect.lateness_s
        ):
            _tally(tally, batch)
            committed += store.ingest(batch)
            watcher.tick()
            bar.update(batch.spans)
        watcher.tick(final=True)
        result = report(store, watcher, config, tally, committed)
    _print(result, args.json)
    tally.check(args.paths)
    return int(any(map(is_open, result["incidents"])))


class _EventTime:
    """Event time as the clock: in replay, time passes as the data say."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __call__(self) -> float:
        return self._store.newest() or 0.0


def _silent(config: Config) -> Config:
    """The past is not worth waking anybody for."""
    return msgspec.structs.replace(config, alerts=AlertsConfig())


def _tally(tally: Tally, batch: Batch) -> None:
    for _, decoded in batch.messages:
        tally.add(decoded)


def _print(result: dict[str, Any], as_json: bool) -> None:
    text = msgspec.json.encode(result).decode() if as_json else summary(result)
    sys.stdout.write(text + "\n")
