"""What every driver needs: the call's header, the numbering, and clients that fail as they are told."""

import asyncio
import os
import sys
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from opentelemetry import trace

UPSTREAM = os.environ["UPSTREAM"]
TIMEOUT_S = 0.75
WITHOUT = set(map(int, os.environ["WITHOUT"].split()))

Call = tuple[str, Callable[[dict[str, str]], Any]]
"""What should come of a call (`KIND [FAULT]`), and the call, given its headers."""


def run(calls: list[Call], first: int = 1) -> int:
    """Make the calls one after the other, numbered from `first`; what they raise is what was asked for.

    Returns the number of the next call.
    """
    for number, (outcome, call) in enumerate(calls, first):
        if number in WITHOUT:
            continue
        _, _, fault = outcome.partition(" ")
        wanted = bool(fault) and not fault.endswith("-once") and fault != "left"
        header = {"x-call": f"{number} {outcome}"}
        try:
            with _root():
                found = call(header)
                if asyncio.iscoroutine(found):
                    LOOP.run_until_complete(found)
        except Exception as error:  # noqa: BLE001  clients and instrumentations raise what they like
            if not wanted:
                traceback.print_exc()
                sys.exit(f"call {number} ({outcome}) failed: {error!r}")
        else:
            if wanted:
                sys.exit(f"call {number} ({outcome}) did not fail")
    return first + len(calls)


def _root() -> AbstractContextManager[object]:
    """A span of the application around a call, where that is asked for."""
    if not os.environ["ROOT"]:
        return nullcontext()
    return trace.get_tracer("application").start_as_current_span("handle request", record_exception=False)


LOOP = asyncio.new_event_loop()
"""The one loop of the asynchronous calls, so that their clients keep their connections."""
