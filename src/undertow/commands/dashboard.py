"""`undertow dashboard`: Streamlit, a client of the API."""

import argparse

from undertow_dashboards import __main__ as dashboard
from undertow_dashboards.client import DEFAULT_URL

EXAMPLE = f"undertow dashboard --api {DEFAULT_URL}   # a token: {dashboard.TOKEN_VARIABLE}"


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    dashboard.options(parser)


def run(args: argparse.Namespace) -> int:
    """Show the dashboard until it is interrupted."""
    return dashboard.run(args)
