"""Progress of long work: on standard error, where a person watches it or asked for it."""

import argparse
import sys
from typing import Any

from tqdm import tqdm


def add_argument(parser: argparse.ArgumentParser) -> None:
    """Add `--progress` and `--no-progress`; without either the terminal decides."""
    parser.add_argument(
        "--progress",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="show progress (default: when standard error is a terminal)",
    )


def bar(wanted: bool | None, unit: str, total: float | None = None) -> "tqdm[Any]":
    """A progress bar counting `unit`s; use as a context manager and call `update(n)`.

    `wanted` None leaves it to the terminal.
    """
    shown = sys.stderr.isatty() if wanted is None else wanted
    return tqdm(total=total, unit=f" {unit}", unit_scale=True, disable=not shown, file=sys.stderr, leave=False)
