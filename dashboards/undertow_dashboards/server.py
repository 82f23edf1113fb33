"""Streamlit's server with the guard in front of it."""

import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import streamlit as st
from starlette.middleware import Middleware

from undertow_dashboards.guard import Guard
from undertow_dashboards.places import Place

APP = Path(__file__).with_name("app.py")


def run(where: Sequence[Place], settings: Mapping[str, Any]) -> int:
    """Serve the pages at the addresses `where` until somebody ends it; the exit code."""
    sys.argv[:] = [str(APP)]  # where Streamlit looks for what belongs to the script
    signal.signal(signal.SIGTERM, _end)  # uvicorn repeats the signal once it has stopped
    try:
        st.App(APP, middleware=[Middleware(Guard, places=where)]).run(config=settings)
    except KeyboardInterrupt:
        return 0
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 1
    return 0


def _end(*_: object) -> None:
    raise SystemExit(0)
