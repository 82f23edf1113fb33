"""`undertow dashboard`: Streamlit, a client of the API."""

import argparse
import os

from undertow_dashboards import __main__ as dashboard
from undertow_dashboards.client import DEFAULT_URL

EXAMPLE = f"undertow dashboard --api {DEFAULT_URL}   # a token: {dashboard.TOKEN_VARIABLE}"


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    default = os.environ.get(dashboard.URL_VARIABLE, DEFAULT_URL)
    parser.add_argument("--api", metavar="URL", default=default, help="the monitor's address (default: %(default)s)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; there is no login (%(default)s)")
    parser.add_argument("--port", type=int, default=8501, help="port to listen on (%(default)s)")


def run(args: argparse.Namespace) -> int:
    """Show the dashboard until it is interrupted."""
    return dashboard.main(["--api", args.api, "--host", args.host, "--port", str(args.port)])
