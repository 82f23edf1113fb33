"""Who may look, and who of them may decide.

Look may nobody in particular (on this machine alone), whom an OIDC provider knows, or whom a proxy names.

A header is believed only where nothing but this machine can connect: the proxy that sets it runs beside the dashboard,
and removes the header from what it gets. Every local user can set it too.
"""

import ipaddress
import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import msgspec

from undertow.errors import ConfigError, UsageError

LOGIN_VARIABLE = "UNDERTOW_DASHBOARD_LOGIN"
ROLES_VARIABLE = "UNDERTOW_DASHBOARD_ROLES"
OIDC, HEADER = "oidc", "header:"
NEEDED = ("redirect_uri", "cookie_secret")
NEEDED_OF_PROVIDER = ("client_id", "client_secret", "server_metadata_url")


@dataclass(frozen=True, slots=True)
class Login:
    """How people log in: `oidc` is a file with Streamlit's [auth] section, `user_header` the name of a header."""

    oidc: str = ""
    user_header: str = ""
    without: bool = False

    @property
    def told(self) -> str:
        """What the pages are told, by LOGIN_VARIABLE."""
        return OIDC if self.oidc else HEADER + self.user_header if self.user_header else ""


class Roles(msgspec.Struct, frozen=True, kw_only=True):
    """Who may decide: nobody where it is `read_only`, else the `operators`, or everybody where none is named."""

    read_only: bool = False
    operators: tuple[str, ...] = ()

    @property
    def told(self) -> str:
        """What the pages are told, by ROLES_VARIABLE."""
        return msgspec.json.encode(self).decode()

    def names(self, identities: Collection[str]) -> bool:
        """Whether an operator is called one of these names; upper and lower case are the same."""
        known = {one.casefold() for one in self.operators}
        return any(one.casefold() in known for one in identities)


def roles(told: str) -> Roles:
    """The roles that a process was told; the defaults where it was told none."""
    return msgspec.json.decode(told, type=Roles) if told else Roles()


def check_roles(roles: Roles, login: Login) -> None:
    """Raise UsageError where operators are named and nobody logs in."""
    if roles.operators and not login.told:
        raise UsageError("--operator (dashboard.operators): nobody has a name without --oidc or --user-header.")


def check(login: Login, host: str) -> str:
    """The address that the OIDC provider sends people back to, if there is one.

    Raises UsageError or ConfigError where this would let in others than was meant.
    """
    if login.oidc and login.user_header:
        raise UsageError("--oidc and --user-header: use one of them.")
    if login.user_header and not is_loopback(host):
        raise UsageError(
            f"--user-header with --host {host}: everybody who can connect could claim any name. "
            "Listen on 127.0.0.1 and let the proxy run on this machine or in this pod, or use --oidc."
        )
    if login.user_header and not login.user_header.replace("-", "").isalnum():
        raise UsageError(f"--user-header {login.user_header}: a header's name looks like X-Forwarded-User.")
    if login.oidc:
        return _check_oidc(Path(login.oidc))
    if not is_loopback(host) and not login.without:
        raise UsageError(
            f"--host {host}: whoever can connect could see and decide everything. Add --oidc FILE, or "
            "--without-login where something in front of it lets in the right people only."
        )
    return ""


def is_loopback(host: str) -> bool:
    """Whether only this machine can connect to `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _check_oidc(file: Path) -> str:
    if find_spec("authlib") is None:
        raise UsageError("--oidc needs Authlib: pip install authlib.")
    try:
        found = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not TOML"
        raise ConfigError(f"--oidc {file}: cannot be read ({reason}).") from None
    auth = found.get("auth")
    if not isinstance(auth, dict):
        raise ConfigError(f"--oidc {file}: there is no [auth] section; docs/dashboard.md shows one.")
    named = [name for name, value in auth.items() if isinstance(value, dict)]
    if named:
        raise ConfigError(f"--oidc {file}: auth.{named[0]}: only one provider, with its keys in [auth] itself.")
    missing = [key for key in (*NEEDED, *NEEDED_OF_PROVIDER) if not auth.get(key)]
    if missing:
        raise ConfigError(f"--oidc {file}: auth.{missing[0]} is missing; docs/dashboard.md shows one that works.")
    return str(auth["redirect_uri"])
