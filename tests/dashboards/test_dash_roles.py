"""Who may look and not decide: no form is shown, the page says why, and nothing is sent."""

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from undertow.errors import UsageError
from undertow_dashboards import decisions, login, roles, who
from undertow_dashboards.__main__ import main
from undertow_dashboards.client import ApiError, Client
from undertow_dashboards.login import LOGIN_VARIABLE, ROLES_VARIABLE, Login, Roles

from .conftest import Open
from .fixtures import FakeApi

HEADER = "header:X-Forwarded-User"
PAGES = [("incident", {"id": "inc_01"}), ("weights", {})]
ACTS = {"Decide", "Silence", "Set the weight", "Judge", "End it"}


def acts(app: AppTest) -> set[str]:
    """What can be done on a page by pressing something."""
    assert not app.exception
    return {button.label for button in app.button} & ACTS


@pytest.mark.parametrize(("page", "query"), PAGES, ids=["incident", "weights"])
@pytest.mark.parametrize(
    ("said", "scopes", "person"),
    [
        ("read_only", None, "ada@example.com"),
        ("token", "ingest read", "ada@example.com"),
        ("token", "", "ada@example.com"),
        ("person", "operate read", "bob@example.com"),
    ],
)
def test_who_may_only_look_sees_no_form_and_why(
    api: FakeApi,
    open_page: Open,
    monkeypatch: pytest.MonkeyPatch,
    page: str,
    query: dict[str, str],
    said: roles.Objection,
    scopes: str | None,
    person: str,
) -> None:
    """The page is all there but for what decides."""
    told = Roles(read_only=said == "read_only", operators=("Ada@example.com",))
    monkeypatch.setenv(ROLES_VARIABLE, told.told)
    monkeypatch.setenv(LOGIN_VARIABLE, HEADER)
    monkeypatch.setattr("undertow_dashboards.who.headers", lambda: {"X-Forwarded-User": person})
    api.scopes = scopes
    app = open_page(page, **query)
    assert acts(app) == set()
    assert roles.SAID[said] in {info.value for info in app.info}
    assert app.title
    assert api.posted == []


@pytest.mark.parametrize(("page", "query"), PAGES, ids=["incident", "weights"])
@pytest.mark.parametrize("scopes", [None, "ingest operate read"])
def test_who_may_decide_sees_the_forms(
    api: FakeApi,
    open_page: Open,
    monkeypatch: pytest.MonkeyPatch,
    page: str,
    query: dict[str, str],
    scopes: str | None,
) -> None:
    """Negative control: an operator with a token that may has them, and so has everybody where none is named."""
    api.scopes = scopes
    assert acts(open_page(page, **query))
    monkeypatch.setenv(ROLES_VARIABLE, Roles(operators=("Ada@example.com",)).told)
    monkeypatch.setenv(LOGIN_VARIABLE, HEADER)
    monkeypatch.setattr("undertow_dashboards.who.headers", lambda: {"X-Forwarded-User": "ada@example.com"})
    assert acts(open_page(page, **query))


def test_a_form_that_was_drawn_before_sends_nothing(
    api: FakeApi, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What counts is who may decide when the button is pressed, not when the page was drawn."""
    app = open_page("incident", id="inc_01")
    app.text_input(key="name decide inc_01").input("Ada")
    app.text_input(key="reason decide inc_01").input("looking")
    monkeypatch.setenv(ROLES_VARIABLE, Roles(read_only=True).told)
    next(button for button in app.button if button.label == "Decide").click().run()
    assert api.posted == []


def test_sending_asks_once_more(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever page forgets to ask who may decide, what all decisions go through does not."""
    shown: list[str] = []
    monkeypatch.setattr(st, "info", lambda text, **_: shown.append(text))
    monkeypatch.setenv(ROLES_VARIABLE, Roles(read_only=True).told)
    decisions.send("Acknowledge", "Ada", "looking", lambda client: client.decide("inc_01", "acknowledge", "Ada"))
    assert shown == [roles.SAID["read_only"]]
    assert api.posted == []


def test_the_client_knows_what_the_last_answer_said(api: FakeApi) -> None:
    """A token that was given another scope is known by the next answer; an API that says nothing is not guessed at."""
    client = Client(api.url)
    for said, expected in (("read", {"read"}), ("operate read", {"operate", "read"}), (None, None)):
        api.scopes = said
        client.incidents()
        assert client.scopes == expected


def test_an_answer_without_a_token_says_nothing_of_it(api: FakeApi) -> None:
    """Readiness is told to everybody, and a refusal comes before the token is known: what was known stays."""
    client = Client(api.url)
    api.scopes = "read"
    client.incidents()
    api.scopes = None
    client.readiness()
    api.status["/v1/incidents"] = 403
    with pytest.raises(ApiError):
        client.incidents()
    assert client.scopes == {"read"}


@pytest.mark.parametrize(
    ("claims", "names"),
    [
        ({"email": "ada@example.com", "sub": "1", "name": "Root"}, {"ada@example.com", "1"}),
        ({"email": "ada@example.com", "email_verified": True, "sub": "1"}, {"ada@example.com", "1"}),
        ({"email": "ada@example.com", "email_verified": False, "sub": "1"}, {"1"}),
        ({"preferred_username": "ada@example.com", "name": "ada@example.com", "sub": "1"}, {"1"}),
        ({}, set()),
    ],
)
def test_a_name_that_people_give_themselves_makes_no_operator(
    claims: dict[str, object], names: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What counts is the subject and an e-mail address that the provider did not call unverified."""
    monkeypatch.setenv(LOGIN_VARIABLE, "oidc")
    monkeypatch.setattr(who, "user", lambda: claims)
    assert who.identities() == names
    assert Roles(operators=("ADA@example.com",)).names(who.identities()) == ("ada@example.com" in names)
    assert who.person() != "ada@example.com" or claims.get("email_verified") is not False


def test_operators_have_to_log_in(capsys: pytest.CaptureFixture[str]) -> None:
    """Where nobody has a name, a list of names would shut out everybody, or nobody."""
    assert main(["--operator", "ada@example.com"]) == 2
    assert "--operator" in capsys.readouterr().err
    with pytest.raises(UsageError, match=r"dashboard\.operators"):
        login.check_roles(Roles(operators=("ada",)), Login(without=True))
    login.check_roles(Roles(operators=("ada",)), Login(user_header="X-Forwarded-User"))


def test_what_a_process_is_told_comes_back() -> None:
    """The roles go to the pages by the environment; without it everybody may decide."""
    told = Roles(read_only=True, operators=("ada@example.com", "a, b"))
    assert login.roles(told.told) == told
    assert login.roles("") == Roles()
