"""`python -m undertow_dashboards`: Streamlit, headless, on this machine only unless told otherwise.

The token comes from UNDERTOW_API_TOKEN, never from the command line, where every user of the machine could read it.
"""

import argparse
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from undertow.errors import TryAgain, UndertowError, UsageError
from undertow_dashboards import login
from undertow_dashboards.client import DEFAULT_URL
from undertow_dashboards.login import Login

URL_VARIABLE = "UNDERTOW_API_URL"
TOKEN_VARIABLE = "UNDERTOW_API_TOKEN"  # noqa: S105  the name of a variable, not a token

SETTINGS = {
    "server.headless": "true",
    "server.fileWatcherType": "none",
    "server.enableXsrfProtection": "true",
    "browser.gatherUsageStats": "false",
    "runner.magicEnabled": "false",  # a string that stands alone in a page is no part of it
    "client.toolbarMode": "minimal",
    "client.showErrorDetails": "none",
    "logger.hideWelcomeMessage": "true",
    "theme.primaryColor": "#0072B2",
    "theme.dark.primaryColor": "#56B4E9",
    "theme.light.textColor": "#0B1520",  # captions are six tenths of it, and still 4.5 to 1 on white
    "theme.light.codeTextColor": "#1F2933",
    "theme.dark.codeTextColor": "#E4E7EB",
    "theme.codeFontSize": "0.9rem",
    "theme.baseRadius": "0.5rem",
    "theme.paddingTop": "1.5rem",
    "theme.headingFontWeights": "[600, 600, 600]",
    "theme.headingFontSizes": '["1.9rem", "1.35rem", "1.15rem"]',
    "theme.metricValueFontSize": "1.6rem",
}


def command(api_url: str = DEFAULT_URL, host: str = "127.0.0.1", port: int = 8501) -> list[str]:
    """The command that runs the dashboard as a process of its own."""
    return [sys.executable, "-m", "undertow_dashboards", "--api", api_url, "--host", host, "--port", str(port)]


def streamlit_arguments(host: str, port: int, oidc: str = "") -> list[str]:
    """What `streamlit` is started with."""
    settings = {**SETTINGS, "server.address": host, "server.port": str(port), "browser.serverAddress": host}
    settings |= {"secrets.files": oidc} if oidc else {}
    app = Path(__file__).with_name("app.py")
    return ["run", str(app), *(f"--{name}={value}" for name, value in settings.items())]


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
    how = Login(args.oidc, args.user_header, args.without_login)
    try:
        check_url(args.api)
        login.check(how, args.host)
        check_port(args.host, args.port)
    except UndertowError as error:
        print(f"undertow dashboard: {error}", file=sys.stderr)  # noqa: T201  the command's own output
        return error.exit_code
    os.environ[URL_VARIABLE], os.environ[login.LOGIN_VARIABLE] = args.api, how.told
    return _streamlit(args.api, streamlit_arguments(args.host, args.port, args.oidc), f"{args.host}:{args.port}")


def _streamlit(api_url: str, arguments: Sequence[str], place: str) -> int:
    from streamlit.web.cli import main as streamlit

    print(f"dashboard: http://{place}  (monitor: {api_url})", file=sys.stderr, flush=True)  # noqa: T201
    try:
        streamlit(args=list(arguments), standalone_mode=False)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
