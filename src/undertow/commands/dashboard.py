"""`undertow dashboard`: Streamlit, a client of the API."""

import argparse
import os
from pathlib import Path

from undertow.loading import load_dashboard
from undertow_dashboards import __main__ as dashboard
from undertow_dashboards.client import DEFAULT_URL

EXAMPLE = f"undertow dashboard --api {DEFAULT_URL}   # a token: {dashboard.TOKEN_VARIABLE}"


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("--config", metavar="FILE", type=Path, help="configuration (default: ./undertow.toml)")
    dashboard.options(parser)


def run(args: argparse.Namespace) -> int:
    """Show the dashboard until it is interrupted. Raises ConfigError."""
    config = load_dashboard(args.config, os.environ)
    args.address += config.addresses
    args.operator += config.operators
    args.read_only |= config.read_only
    return dashboard.run(args)
