"""`undertow report`: what would be noticed, and the last days beside every baseline."""

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from undertow.clock import system_clock
from undertow.errors import NotEnoughData, StoreError, TryAgain, UsageError
from undertow.loading import load
from undertow.span import in_one_word
from undertow.store import Store
from undertow.watch.loop import Watcher
from undertow_dashboards.__main__ import TOKEN_VARIABLE, URL_VARIABLE
from undertow_dashboards.client import DEFAULT_URL, ApiError, Client
from undertow_dashboards.shapes import Delay, Detectability, Detectable, Effect, Memory, Noticed, Remembered

T = TypeVar("T", Detectability, Memory)

EXAMPLE = f"undertow report --detectability --api {DEFAULT_URL}   # a token: {TOKEN_VARIABLE}"

PATIENCE_S = 60.0
HOUR_DAYS, MINUTE_DAYS = 1 / 24, 1 / 1440
_UNITS = {"numeric": "%", "binary": "points"}


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument(
        "--detectability", action="store_true", help="the smallest change of each signal that would be noticed"
    )
    parser.add_argument(
        "--memory", action="store_true", help="the last days against every baseline a target was judged by"
    )
    parser.add_argument("--days", metavar="DAYS", type=_days, default=7.0, help="with --memory (default: 7)")
    of = parser.add_mutually_exclusive_group()
    default = os.environ.get(URL_VARIABLE, DEFAULT_URL)
    of.add_argument("--api", metavar="URL", default=default, help="ask the monitor there (default: %(default)s)")
    of.add_argument("--db", metavar="FILE", type=Path, help="read the database of a monitor that does not run")
    parser.add_argument(
        "--config", metavar="FILE", type=Path, help="configuration, with --db (default: ./undertow.toml)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Print what was asked for; NotEnoughData where no target has a baseline yet."""
    if args.detectability == args.memory:
        raise UsageError("`report` needs --detectability or --memory; the model review comes in a later version")
    if args.memory:
        now = _asked(args, lambda client: client.memory(args.days), lambda watcher: watcher.memory(args.days), Memory)
        return _told(args, now, _memory_lines(now), "no target has a baseline and answers after it yet")
    found = _asked(args, Client.detectability, Watcher.detectability, Detectability)
    return _told(args, found, _lines(found), "no target has a baseline yet, so nothing would be noticed")


def _told(args: argparse.Namespace, found: Detectability | Memory, lines: Iterator[str], missing: str) -> int:
    if not found.signals:
        raise NotEnoughData(missing)
    text = msgspec.json.encode(found).decode() if args.json else "\n".join(lines)
    sys.stdout.write(text + "\n")
    return 0


def _days(text: str) -> float:
    days = float(text)
    if not 0 < days <= 366:
        raise argparse.ArgumentTypeError(f"{text} is not within 0 and 366 days")
    return days


def _asked(
    args: argparse.Namespace,
    of_monitor: Callable[[Client], T],
    of_database: Callable[[Watcher], dict[str, Any]],
    shape: type[T],
) -> T:
    if args.db:
        return msgspec.convert(_of_database(args.db, args.config, of_database), shape)
    try:
        with closing(Client(args.api, os.environ.get(TOKEN_VARIABLE, ""), timeout_s=PATIENCE_S)) as client:
            return of_monitor(client)
    except ApiError as error:
        raise (TryAgain if error.kind == "away" else StoreError)(str(error)) from None


def _of_database(path: Path, config_file: Path | None, ask: Callable[[Watcher], dict[str, Any]]) -> dict[str, Any]:
    config = load(config_file, os.environ)
    if not path.exists():
        raise StoreError(f"{path}: no such file")
    with Store.open(path, config=config.store, lateness_s=config.detect.lateness_s) as store:
        return ask(Watcher(store, config, system_clock))


def _memory_lines(found: Memory) -> Iterator[str]:
    yield f"The last {found.days:g} days against every baseline; * where the 95 % interval leaves out no change"
    for target, of_target in groupby(found.signals, lambda row: row.target):
        yield ""
        yield in_one_word(msgspec.to_builtins(target))
        for (version, start, end), rows in groupby(of_target, _baseline):
            yield f"  baseline {version}, {_date(start)} to {_date(end)}"
            yield from (f"  {'*' if row.changed else ' '} {row.signal} {_effect(row.effect)}" for row in rows)


def _baseline(row: Remembered) -> tuple[int, float | None, float | None]:
    return row.baseline_version, row.baseline_start, row.baseline_end


def _date(at: float | None) -> str:
    return "unknown" if at is None else f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d}"


def _effect(effect: Effect) -> str:
    """In natural units, with its interval."""
    low, high = effect.ci95 or (None, None)
    if effect.value is None or low is None or high is None:
        return "unknown"
    if effect.name == "ratio":
        return f"{_percent(effect.value - 1)} % [{_percent(low - 1)}, {_percent(high - 1)}]"
    return f"{100 * effect.value:+.2f} points [{100 * low:+.2f}, {100 * high:+.2f}]"


def _lines(found: Detectability) -> Iterator[str]:
    yield (
        f"With {found.false_alarm_interval_days:g} days between false alarms, on the average, "
        "a change that comes at once is noticed"
    )
    for target, rows in groupby(found.signals, lambda row: row.target):
        yield ""
        yield in_one_word(msgspec.to_builtins(target))
        for row in rows:
            yield from _signal(row)


def _signal(row: Detectable) -> Iterator[str]:
    if row.level is None or row.per_day is None or row.within_day is None or row.within_week is None:
        yield f"  {row.signal}: never, with {row.baseline_values} values in the baseline it is not judged"
        return
    level = f"{row.level:,.4g}" if row.kind == "numeric" else f"{100 * row.level:.2g} %"
    yield (
        f"  {row.signal} ({level}, {row.per_day:,.0f} a day): within a day from {_sizes(row.within_day, row.kind)}, "
        f"within a week from {_sizes(row.within_week, row.kind)}"
    )
    if row.expected_delay:
        delays = ", ".join(f"{_percent(one.change)} {_when(one)}" for one in row.expected_delay)
        yield f"    {_UNITS[row.kind]}: {delays}"


def _sizes(noticed: Noticed, kind: str) -> str:
    """Both directions; one alone when the other is never noticed or rounds to the same."""
    up = None if noticed.up is None else _percent(noticed.up)
    down = None if noticed.down is None else _percent(-noticed.down)
    if up and down and up[1:] == down[1:]:
        return f"±{up[1:]} {_UNITS[kind]}"
    told = " or ".join(filter(None, (up, down)))
    return f"{told} {_UNITS[kind]}" if told else "no size at all"


def _percent(change: float) -> str:
    percent = 100 * change
    return f"{percent:+.{0 if percent == round(percent) or abs(percent) >= 10 else 1}f}"


def _when(delay: Delay) -> str:
    if delay.days is None:
        return "never"
    if delay.days < HOUR_DAYS:
        return f"after {delay.days / MINUTE_DAYS:.0f} min"
    return f"after {delay.days / HOUR_DAYS:.0f} h" if delay.days < 2 else f"after {delay.days:,.0f} days"
