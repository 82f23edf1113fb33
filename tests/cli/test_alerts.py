import json
import socketserver
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from undertow.cli import main
from undertow.notify.sample import EVENTS

SECRET = "canary-in-a-url"
Alerts = Callable[..., tuple[int, str, str]]


class Receiver(socketserver.ThreadingTCPServer):
    """Answers each request with `answer` and keeps the bodies."""

    daemon_threads = True
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

    def __init__(self) -> None:
        self.bodies: list[Any] = []
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(socketserver.StreamRequestHandler):
    server: Receiver

    def handle(self) -> None:
        lines = iter(lambda: self.rfile.readline().strip().decode().lower(), "")
        length = max((int(line.split(":")[1]) for line in lines if line.startswith("content-length:")), default=0)
        self.server.bodies.append(json.loads(self.rfile.read(length)))
        self.wfile.write(self.server.answer)


@pytest.fixture(name="receiver")
def _receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(name="alerts")
def _alerts(tmp_path: Path, receiver: Receiver, capsys: pytest.CaptureFixture[str]) -> Alerts:
    """Runs `undertow alerts` with a Slack channel named ops; gives exit code, standard output and error."""
    port = receiver.server_address[1]
    config = tmp_path / "undertow.toml"
    config.write_text(
        f'[alerts]\nallow_hosts = ["127.0.0.1"]\n[[alerts.slack]]\nname = "ops"\nmodels = ["gpt-*"]\n'
        f'url = "http://127.0.0.1:{port}/{SECRET}"\n'
    )

    def alerts(*argv: str, of: Path = config) -> tuple[int, str, str]:
        code = main(["alerts", *argv, "--config", str(of)])
        told = capsys.readouterr()
        return code, told.out, told.err

    return alerts


@pytest.mark.parametrize("event", EVENTS)
def test_a_sample_goes_through(event: str, alerts: Alerts, receiver: Receiver) -> None:
    """The receiver gets the message of each event, and the command says what came back."""
    code, out, _ = alerts("test", "slack:ops", "--event", event)
    assert code == 0
    assert out.startswith("slack:ops took it: http_200 after ")
    assert out.endswith("saying 'ok'\n")
    assert "openai/gpt-4" in receiver.bodies[0]["text"]


def test_a_receiver_that_refuses_is_an_answer_of_no(alerts: Alerts, receiver: Receiver) -> None:
    """Exit code 1 with the status and the reason, without the secret that the receiver repeats."""
    said = f"<b>no_service</b> at /{SECRET} http://127.0.0.1:{receiver.server_address[1]}/{SECRET}".encode()
    receiver.answer = b"HTTP/1.1 404 Gone\r\nContent-Length: %d\r\n\r\n%b" % (len(said), said)
    code, out, err = alerts("test", "slack:ops")
    assert code == 1
    assert "did not take it: http_404" in out
    assert "no_service" in out
    assert SECRET not in out + err


def test_a_private_address_is_refused(alerts: Alerts, tmp_path: Path) -> None:
    """The sample takes the way of real alerts, guard and all."""
    other = tmp_path / "other.toml"
    other.write_text('[[alerts.slack]]\nname = "ops"\nurl = "https://127.0.0.1:9/x"\n')
    code, out, _ = alerts("test", "slack:ops", of=other)
    assert code == 1
    assert "refused: 127.0.0.1 may not be reached" in out


def test_json_is_one_object(alerts: Alerts) -> None:
    """For scripts: outcome, detail, what was said and how long it took."""
    code, out, _ = alerts("test", "slack:ops", "--json")
    told = json.loads(out)
    assert (code, told["outcome"], told["detail"], told["answer"]) == (0, "sent", "http_200", "ok")


def test_the_channels_are_listed_without_their_secrets(alerts: Alerts) -> None:
    """Name, host, least severity and filters, as lines and as JSON."""
    code, out, _ = alerts("list")
    assert code == 0
    assert out.startswith("slack:ops")
    assert "from warning (models gpt-*)" in out
    told = json.loads(alerts("list", "--json")[1])
    assert told["channels"][0]["only"] == {"models": ["gpt-*"]}
    assert SECRET not in out + json.dumps(told)


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (("test",), "`alerts test` needs a channel: slack:ops"),
        (("test", "slack:opps"), "there is no channel 'slack:opps'; did you mean `slack:ops`?"),
    ],
)
def test_a_channel_that_is_none_ends_with_2(argv: tuple[str, ...], says: str, alerts: Alerts) -> None:
    """A wrong name is a mistake of usage, and the right ones are named."""
    code, out, err = alerts(*argv)
    assert (code, out) == (2, "")
    assert says in err


def test_without_channels_there_is_nothing_to_test(alerts: Alerts, tmp_path: Path) -> None:
    """An empty configuration lists nobody, and says how to change that when asked for a test."""
    empty = tmp_path / "empty.toml"
    empty.write_text("")
    assert alerts("list", of=empty) == (0, "no channel is configured: nobody is told\n", "")
    code, _, err = alerts("test", "slack:ops", of=empty)
    assert code == 2
    assert "[[alerts.slack]]" in err


def test_a_bad_configuration_ends_with_78(alerts: Alerts, tmp_path: Path) -> None:
    """The mistake is told as everywhere."""
    bad = tmp_path / "bad.toml"
    bad.write_text('[[alerts.slack]]\nname = "ops"\n')
    code, _, err = alerts("list", of=bad)
    assert code == 78
    assert "alerts.slack[0].url: is missing" in err
