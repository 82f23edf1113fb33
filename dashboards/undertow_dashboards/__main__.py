"""`python -m undertow_dashboards`: Streamlit, headless, on this machine only unless told otherwise.

The token comes from UNDERTOW_API_TOKEN, never from the command line, where every user of the machine could read it.
"""

import argparse
import os
import socket
import sys
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from undertow.errors import TryAgain, UndertowError, UsageError
from undertow_dashboards import login, places
from undertow_dashboards.client import DEFAULT_URL
from undertow_dashboards.login import Login, Roles
from undertow_dashboards.places import Place

URL_VARIABLE = "UNDERTOW_API_URL"
TOKEN_VARIABLE = "UNDERTOW_API_TOKEN"  # noqa: S105  the name of a variable, not a token

SETTINGS: dict[str, Any] = {
    "server.headless": True,
    "server.fileWatcherType": "none",
    "server.enableCORS": True,
    "server.enableXsrfProtection": True,
    "server.xsrfCookieSameSite": "strict",
    "browser.gatherUsageStats": False,
    "runner.magicEnabled": False,  # a string that stands alone in a page is no part of it
    "client.toolbarMode": "minimal",
    "client.showErrorDetails": "none",
    "logger.hideWelcomeMessage": True,
    "theme.primaryColor": "#0072B2",
    "theme.dark.primaryColor": "#56B4E9",
    "theme.light.textColor": "#0B1520",  # captions are six tenths of it, and still 4.5 to 1 on white
    "theme.light.codeTextColor": "#1F2933",
    "theme.dark.codeTextColor": "#E4E7EB",
    "theme.codeFontSize": "0.9rem",
    "theme.baseRadius": "0.5rem",
    "theme.paddingTop": "1.5rem",
    "theme.headingFontWeights": [600, 600, 600],
    "theme.headingFontSizes": ["1.9rem", "1.35rem", "1.15rem"],
    "theme.metricValueFontSize": "1.6rem",
}


def command(api_url: str = DEFAULT_URL, host: str = "127.0.0.1", port: int = 8501) -> list[str]:
    """The command that runs the dashboard as a process of its own."""
    return [sys.executable, "-m", "undertow_dashboards", "--api", api_url, "--host", host, "--port", str(port)]


def settings(host: str, port: int, where: Sequence[Place] = (), oidc: str = "") -> dict[str, Any]:
    """Streamlit's options for a dashboard that is opened at the addresses `where`."""
    own = {
        "server.address": host,
        "server.port": port,
        "browser.serverAddress": host,
        "server.allowedHosts": sorted({place.host.strip("[]") for place in where}),
        "server.corsAllowedOrigins": sorted({place.origin for place in where}),
    }
    return SETTINGS | own | ({"secrets.files": [oidc]} if oidc else {})


def check_url(api_url: str) -> None:
    """Raise UsageError where this cannot be a monitor's address, or has a password in it for all to read."""
    parts = urlsplit(api_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"--api {api_url}: an address looks like {DEFAULT_URL}.")
    if "@" in parts.netloc:
        raise UsageError(f"--api: no user or password in the address; the token goes into {TOKEN_VARIABLE}.")


def check_port(host: str, port: int) -> None:
    """Raise TryAgain where the port is taken, UsageError where the host is not one of this machine."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OverflowError:
            raise UsageError(f"--port {port}: expected a port from 1 to 65535.") from None
        except socket.gaierror as error:
            raise UsageError(f"--host {host}: {error.strerror}.") from None
        except OSError as error:
            raise TryAgain(f"--port {port} on {host} cannot be used ({error.strerror}); name another one.") from None


def options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument(
        "--api",
        metavar="URL",
        default=os.environ.get(URL_VARIABLE, DEFAULT_URL),
        help="the monitor's address (default: %(default)s)",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8501, help="port to listen on (default: %(default)s)")
    parser.add_argument(
        "--oidc", metavar="FILE", default="", help="log in by OIDC; FILE has Streamlit's [auth] section"
    )
    parser.add_argument("--user-header", metavar="NAME", default="", help="a proxy on this machine logs people in")
    parser.add_argument("--without-login", action="store_true", help="let in whoever can connect, on any --host")
    parser.add_argument(
        "--address",
        metavar="URL",
        action="append",
        default=[],
        help="where people open it, such as https://undertow.example.com; loopback names on --port always work",
    )
    parser.add_argument("--read-only", action="store_true", help="show no forms for decisions, and send none")
    parser.add_argument(
        "--operator",
        metavar="NAME",
        action="append",
        default=[],
        help="who may decide, as the login names people; everybody without this option",
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the dashboard until it is interrupted; the exit code."""
    parser = argparse.ArgumentParser(
        prog="undertow dashboard",
        description="The dashboard, a client of a running `undertow serve`.",
        epilog=f"Example: undertow dashboard --api {DEFAULT_URL} --port 8501. "
        f"A token is read from the environment variable {TOKEN_VARIABLE}.",
    )
    options(parser)
    return run(parser.parse_args(argv))


def run(args: argparse.Namespace) -> int:
    """Run the dashboard with these `options` until it is interrupted; the exit code."""
    try:
        where = prepare(args)
    except UndertowError as error:
        print(f"undertow dashboard: {error}", file=sys.stderr)  # noqa: T201  the command's own output
        return error.exit_code
    print(f"dashboard: http://{args.host}:{args.port}  (monitor: {args.api})", file=sys.stderr, flush=True)  # noqa: T201
    from undertow_dashboards import server

    return server.run(where, settings(args.host, args.port, where, args.oidc))


def prepare(args: argparse.Namespace) -> tuple[Place, ...]:
    """Check the options, tell the pages by the environment, and return the addresses that are answered."""
    how = Login(args.oidc, args.user_header, args.without_login)
    roles = Roles(read_only=args.read_only, operators=tuple(args.operator))
    check_url(args.api)
    redirect = login.check(how, args.host)
    login.check_roles(roles, how)
    others = [places.parse(address) for address in args.address]
    others += [places.parse(redirect, "auth.redirect_uri")] if redirect else []
    where = places.served(args.host, args.port, others)
    check_port(args.host, args.port)
    os.environ |= {URL_VARIABLE: args.api, login.LOGIN_VARIABLE: how.told, login.ROLES_VARIABLE: roles.told}
    return where


if __name__ == "__main__":
    sys.exit(main())
