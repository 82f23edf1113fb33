"""What somebody without a valid token learns: that the monitor is there, and in one word how each part is."""

from typing import Any

import pytest

import undertow
from undertow.config import ApiConfig, Config, Secret, TokenConfig
from undertow.crew import Health
from undertow.errors import TryAgain
from undertow_collectors.source import SourceStatus

TOKENS = {"read": "reader-0123456789", "ingest": "gateway-0123456789", "operate": "person-0123456789"}
TELLING = ("10.1.2.3:9092", "/var/lib/undertow.duckdb", "ValueError", "webhook:hooks.internal", "http_500")
"""What the parts say of this installation: addresses, paths, errors."""

WORDS = {
    "source": "broker_unavailable",
    "store": "failing",
    "detection": "failing",
    "outbox": "retrying",
    "upkeep": "running",
    "event_time": "running",
}


@pytest.fixture(name="broken")
def _broken(api: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A monitor with tokens whose parts all fail and say why."""
    tokens = [TokenConfig(name=scope, scopes=[scope], token=Secret(text)) for scope, text in TOKENS.items()]  # type: ignore[list-item]
    break_everything(api, monkeypatch)
    return api.start(config=Config(api=ApiConfig(tokens=tokens)))


def break_everything(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every part fails, and says what must not get out."""

    def fail(*_: Any) -> Any:
        raise TryAgain("/var/lib/undertow.duckdb: no space left")

    api.source.now = SourceStatus("broker_unavailable", "10.1.2.3:9092 does not answer")
    api.health["detection"] = Health(False, "failing", "ValueError: x (for 5 s)")
    api.deliverer.failing["webhook:hooks.internal"] = "http_500"
    monkeypatch.setattr(api.store, "meta", fail)


def told(response: Any) -> list[str]:
    """What of TELLING an answer holds, and whether it names a version."""
    text = response.text + repr(response.headers)
    return [one for one in (*TELLING, undertow.__version__) if one in text]


def states(response: Any) -> dict[str, str]:
    """The state of each part."""
    return {part["part"]: part["state"] for part in response.json()["parts"]}


def bearer(token: str) -> dict[str, str]:
    """The header of a token; none for none."""
    return {"authorization": f"Bearer {token}"} if token else {}


@pytest.mark.parametrize("token", ["", "wrong", TOKENS["ingest"], TOKENS["operate"]])
def test_a_stranger_learns_only_words(token: str, broken: Any) -> None:
    """/readyz is 503 and names each part and its state, to whoever may not read, and nothing else."""
    response = broken.get("/readyz", headers=bearer(token))
    assert response.status_code == 503
    assert states(response) == WORDS
    assert {name for part in response.json()["parts"] for name in part} == {"part", "ok", "state"}
    assert told(response) == []


def test_who_may_read_learns_everything(broken: Any) -> None:
    """The negative control: with a token for reading the sentences are there, so the tests here would see them."""
    response = broken.get("/readyz", headers=bearer(TOKENS["read"]))
    assert response.status_code == 503
    assert states(response) == WORDS
    assert told(response) == list(TELLING)


def test_no_answer_to_a_stranger_tells_of_the_installation(broken: Any) -> None:
    """Whatever is asked, there or not, well or badly: no address, path, error or version."""
    described = broken.app.openapi()["paths"]
    paths = [path for path in described if path != "/readyz"] + ["/docs", "/openapi.json", "/nothing", "//", "/%00"]
    for path in paths:
        for method in ("GET", "HEAD", "POST", "DELETE", "OPTIONS", "TRACE", "BREW"):
            response = broken.ask(method, path.replace("{", "").replace("}", ""))
            assert told(response) == [], (method, path)
            assert response.status_code in ((401,) if path != "/healthz" else (200, 405))


def test_without_a_token_a_page_of_another_origin_learns_only_words(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that rebinds its name, or asks across origins, is a stranger too; the operator's own machine is not."""
    break_everything(api, monkeypatch)
    for headers in ({"host": "evil.example"}, {"origin": "https://evil.example"}):
        response = api.get("/readyz", headers=headers)
        assert states(response) == WORDS
        assert told(response) == []
    assert told(api.get("/readyz")) == list(TELLING)


@pytest.mark.parametrize(
    "headers", [{f"x-{n}": "a" for n in range(101)}, {"x-a": "a" * 16_500}], ids=["lines", "bytes"]
)
def test_a_head_without_end_is_refused_before_anything_reads_it(headers: dict[str, str], broken: Any) -> None:
    """A head that comes in one piece is bounded too, for everybody and every path."""
    for path in ("/healthz", "/v1/targets"):
        response = broken.get(path, headers=headers | bearer(TOKENS["read"]))
        assert (response.status_code, response.headers["connection"]) == (431, "close")
