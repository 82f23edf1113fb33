"""Who is let in: nobody by accident."""

from pathlib import Path

import pytest

from undertow.errors import ConfigError, UsageError
from undertow_dashboards import login
from undertow_dashboards.login import LOGIN_VARIABLE, Login

from .conftest import Open
from .fixtures import FakeApi
from .test_dash_pages import texts

AUTH = """[auth]
redirect_uri = "https://u.example/oauth2callback"
cookie_secret = "c"
client_id = "i"
client_secret = "s3cret"
server_metadata_url = "https://l.example/.well-known/openid-configuration"
"""


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_this_machine_needs_no_login(host: str) -> None:
    """The default just starts."""
    login.check(Login(), host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.5", "example.com"])  # noqa: S104  what is refused
def test_others_are_not_let_in_by_accident(host: str) -> None:
    """Any other address needs a login, or the word that none is wanted."""
    with pytest.raises(UsageError, match="--without-login"):
        login.check(Login(), host)
    login.check(Login(without=True), host)


def test_a_header_is_believed_on_loopback_alone() -> None:
    """Where others can connect, they could send any name."""
    login.check(Login(user_header="X-Forwarded-User"), "127.0.0.1")
    for without in (False, True):
        with pytest.raises(UsageError, match="could claim any name"):
            login.check(Login(user_header="X-Forwarded-User", without=without), "0.0.0.0")  # noqa: S104


def test_a_header_that_is_none_is_named() -> None:
    """A colon or a blank is no part of a header's name."""
    with pytest.raises(UsageError, match="X-Forwarded-User"):
        login.check(Login(user_header="X-User: me"), "127.0.0.1")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (AUTH.replace("client_id", "client"), "auth.client_id is missing"),
        ("[other]\n", "no \\[auth\\] section"),
        ("[auth", "not TOML"),
        (AUTH + "[auth.google]\nclient_id = 'x'\n", "only one provider"),
    ],
)
def test_what_lacks_in_the_oidc_file_is_named_and_no_secret(tmp_path: Path, text: str, told: str) -> None:
    """File and key are in the message; what stands in the file is not."""
    file = tmp_path / "auth.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=told) as caught:
        login.check(Login(oidc=str(file)), "0.0.0.0")  # noqa: S104
    assert "s3cret" not in str(caught.value)


def test_a_whole_oidc_file_lets_the_dashboard_listen_anywhere(tmp_path: Path) -> None:
    """With a login every host is fine; without the file it is not."""
    file = tmp_path / "auth.toml"
    file.write_text(AUTH)
    login.check(Login(oidc=str(file)), "0.0.0.0")  # noqa: S104
    with pytest.raises(ConfigError, match="cannot be read"):
        login.check(Login(oidc=str(tmp_path / "none.toml")), "0.0.0.0")  # noqa: S104


@pytest.mark.parametrize("page", ["fleet", "incident", "weights"])
def test_without_the_proxys_header_nothing_is_shown(
    api: FakeApi, open_page: Open, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    """Who comes past the proxy sees no model, and the monitor is not asked."""
    monkeypatch.setenv(LOGIN_VARIABLE, "header:X-Forwarded-User")
    app = open_page(page)
    assert not app.exception
    assert app.title[0].value == "The proxy names nobody"
    assert "gpt-4o" not in texts(app)
    assert not api.asked


def test_the_proxys_name_signs_decisions(api: FakeApi, open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """A known person types no name."""
    monkeypatch.setenv(LOGIN_VARIABLE, "header:X-Forwarded-User")
    monkeypatch.setattr("undertow_dashboards.who.headers", lambda: {"X-Forwarded-User": "ada@example.com"})
    app = open_page("incident", id="inc_01")
    app.text_input(key="reason decide inc_01").input("looking")
    next(b for b in app.button if b.label == "Decide").click().run()
    assert api.posted == [("/v1/incidents/inc_01/acknowledge", {"by": "ada@example.com", "reason": "looking"})]


def test_oidc_asks_to_log_in(api: FakeApi, open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the login there is a button and nothing else."""
    monkeypatch.setenv(LOGIN_VARIABLE, "oidc")
    monkeypatch.setattr("undertow_dashboards.who.user", dict)
    app = open_page()
    assert [b.label for b in app.button] == ["Log in"]
    assert not api.asked
