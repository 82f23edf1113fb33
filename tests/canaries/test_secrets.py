"""No secret is in a log, repr, metric, trace, answer, message or row, whatever receivers and brokers do."""

import base64
import contextlib
import json
import os
import random
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from tests.canaries.planted import Canaries, database, hiding, leaks
from tests.canaries.settings import everything, spoilt, toml
from tests.canaries.strangers import Server, broker, running
from tests.notify.smtp_server import MailServer, serving
from tests.programs import free_ports

from undertow.cli import main
from undertow.loading import load
from undertow.notify.routing import channel
from undertow.veil import veil

ROOT = Path(__file__).parents[2]
START = 1_767_571_200.0
DEADLINE_S = 60.0
Told = dict[str, bytes]
Command = Callable[..., tuple[int, bytes]]


class _Repeats(dict[str, bytes]):
    """Answers of a mail server that refuses a login with what it was sent."""

    def __init__(self, server: MailServer) -> None:
        self._server = server
        super().__init__()

    def get(self, verb: str, default: Any = None) -> Any:
        return f"535 no: {self._server.seen[-1][1]}\r\n".encode() if verb == "AUTH" else default


@dataclass
class World:
    """Canaries in a configuration, and the strangers that it names."""

    folder: Path
    canaries: Canaries
    server: Server
    settings: dict[str, Any]
    certificate: Path

    @property
    def config(self) -> Path:
        """The configuration file."""
        path = self.folder / "undertow.toml"
        path.write_text(toml(self.settings))
        return path

    def headers(self) -> str:
        """Headers for OTLP, the second one not in the form that OpenTelemetry wants."""
        core = self.canaries.token("OTEL_EXPORTER_OTLP_HEADERS").partition("+")[0]
        return f"authorization=Bearer%20{core},x-token: {core}"


@pytest.fixture(name="world")
def _world(tmp_path: Path) -> Iterator[World]:
    folder = tmp_path / "monitor"
    folder.mkdir()
    certificate = _certificate(tmp_path)
    with contextlib.ExitStack() as open_:
        server, brokers = (open_.enter_context(running(one)) for one in (Server(), broker()))
        mail = open_.enter_context(serving(_tls(certificate)))
        mail.answers = _Repeats(mail)
        canaries, (closed,) = Canaries(), free_ports(1)
        settings = everything(canaries, server, mail.port, brokers.server_address[1], closed)
        yield World(folder, canaries, server, settings, certificate)


def _certificate(folder: Path) -> Path:
    path = folder / "both.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=loopback"
    made = f"{command} -addext subjectAltName=IP:127.0.0.1 -keyout {path} -out {folder / 'cert.pem'}"
    try:
        subprocess.run(made.split(), capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"openssl makes no certificate to serve: {error}")
    path.write_text(path.read_text() + (folder / "cert.pem").read_text())
    return path


def _tls(certificate: Path) -> Any:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


class Monitor:
    """A real `undertow serve`; what it wrote is in `out` and `log`."""

    def __init__(self, world: World, *arguments: str, fault: str = "", **environ: str) -> None:
        self.world = world
        self.out, self.log = world.folder.parent / "stdout", world.folder.parent / "stderr"
        command = ["-m", "tests.canaries.launcher", fault] if fault else ["-m", "undertow.cli", "serve"]
        known = {"SSL_CERT_FILE": str(world.certificate), "PYTHONPATH": str(ROOT), "PYTHONFAULTHANDLER": "1"}
        with self.out.open("wb") as out, self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, *command, "--config", str(world.config), *arguments],
                cwd=world.folder,
                env=os.environ | known | environ,
                stdout=out,
                stderr=log,
            )

    def until(self, condition: Callable[[], Any]) -> Any:
        """The first true value of `condition` before the deadline."""
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            if value := condition():
                return value
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.02)
        raise AssertionError(f"still not so after {DEADLINE_S} s: {self.log.read_text()}")

    def ready(self) -> httpx.Client:
        """A client that may do everything."""
        found = self.until(lambda: re.search(r"ready on (http://\S+?)[\"\s]", self.log.read_text()))
        headers = {"authorization": f"Bearer {self.world.settings['api']['token']}"}
        return httpx.Client(base_url=found[1], headers=headers, trust_env=False, timeout=30)

    def written(self) -> Told:
        """Both of its streams, what it exported and what it keeps, once it has ended."""
        exported = b"".join(body for path, _, body in self.world.server.seen if "/v1/" in path)
        kept = database(self.world.folder / "undertow.duckdb")
        return {"stdout": self.out.read_bytes(), "stderr": self.log.read_bytes(), "otlp": exported, **kept}

    def ended(self, number: int | None = signal.SIGTERM) -> int:
        """The exit code, after a signal or by itself."""
        if number is not None:
            self.process.send_signal(number)
        return self.process.wait(30.0)


@pytest.fixture(name="monitor")
def _monitor(world: World) -> Iterator[Callable[..., Monitor]]:
    started: list[Monitor] = []

    def start(*arguments: str, **more: str) -> Monitor:
        started.append(Monitor(world, *arguments, **more))
        return started[-1]

    yield start
    for monitor in started:
        monitor.process.kill()
        monitor.process.wait()


@pytest.fixture(name="command")
def _command(world: World, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Runs a command in the monitor's folder; gives its exit code and all it wrote."""
    monkeypatch.chdir(world.folder)
    monkeypatch.setenv("SSL_CERT_FILE", str(world.certificate))

    def command(*argv: str, config: str | None = "", **environ: str) -> tuple[int, bytes]:
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        if config is not None:
            path = world.folder / "of-command.toml"
            path.write_text(config or world.config.read_text())
            argv = (*argv, "--config", str(path))
        code = main(argv)
        told = capfd.readouterr()
        return code, (told.out + told.err).encode()

    return command


def _spans() -> bytes:
    """Five thousand calls of one model, whose answers become half as long after three thousand."""
    rng = random.Random(1)
    spans = (
        {
            "span_id": f"s{n}",
            "started_at": START + 10.0 * n,
            "provider": "openai",
            "model": "gpt-4",
            "input_tokens": int(rng.lognormvariate(5, 0.6)) + 1,
            "output_tokens": int(rng.lognormvariate(5, 0.5) * (0.5 if n >= 3000 else 1)) + 1,
        }
        for n in range(5000)
    )
    return "\n".join(map(json.dumps, spans)).encode()


def _answers(client: httpx.Client, incident: str, stray: list[str]) -> Told:
    """Every GET that the API knows, asked well, without a token, and with strange tokens in header, query and path."""
    told: Told = {}
    asked = {"provider": "openai", "model": "gpt-4", "signal": "output_tokens"}
    described = client.get("/openapi.json").json()["paths"]
    for path in [*(path for path, methods in described.items() if "get" in methods), "/docs", "/openapi.json"]:
        where = path.replace("{incident_id}", incident)
        told[f"GET {path}"] = client.get(where, params=asked).content
        for number, token in enumerate(stray):
            query = asked | {"token": token, "api_key": token}
            bare = httpx.get(f"{client.base_url}{where}", params=query, headers={"authorization": f"Bearer {token}"})
            told[f"GET {path} {number}"] = bare.content + client.get(f"/{token}{where}", params=query).content
    return told


def _act(client: httpx.Client, incident: str) -> Told:
    """What people do in an incident, and what is sent wrongly."""
    until = time.time() + 3600
    target = {"provider": "openai", "model": "gpt-4"}
    bodies: dict[str, Any] = {
        f"/v1/incidents/{incident}/acknowledge": {"by": "ada"},
        "/v1/silences": {"matchers": target, "for_s": 60, "by": "ada"},
        "/v1/weights/overrides": {"target": target, "multiplier": 1.0, "until": until, "by": "ada"},
        "/v1/spans": {"model": 1},
        "/v1/traces": [],
        "/v1/receivers/webhook:webhook0/enable": {},
    }
    return {f"POST {path}": client.post(path, json=body).content for path, body in bodies.items()}


def _garbage(client: httpx.Client, token: str) -> bytes:
    """A request that is none, with a token in every line."""
    with socket.create_connection((client.base_url.host, client.base_url.port), 10) as sock:
        sock.sendall(f"GET /{token} {token}\r\nAuthorization: Bearer {token}\r\nbad {token}\r\n\r\n".encode())
        sock.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: sock.recv(4096), b""))


def test_every_key_that_can_hold_a_secret_has_a_canary(world: World) -> None:
    """A secret that is added to the configuration fails here until it is planted."""
    planted = set(world.canaries.cores.values())
    assert set(hiding()) == planted
    found = {name for file in ROOT.glob("*/**/*.py") for name in _variables(file)}
    assert found == {"UNDERTOW_API_TOKEN", "UNDERTOW_GATEWAY_TOKEN"}, "variables that the tests below do not set"


def _variables(file: Path) -> Iterator[str]:
    if file.is_relative_to(ROOT / "src") or file.is_relative_to(ROOT / "dashboards"):
        yield from re.findall(r"UNDERTOW_[A-Z]+_(?:[A-Z]+_)*(?:TOKEN|SECRET|PASSWORD|KEY)\b", file.read_text())


def test_a_monitor_tells_no_secret(world: World, monitor: Callable[..., Monitor]) -> None:
    """With every channel well, refusing, failing, echoing or away, through an incident and strange requests."""
    serving = monitor("--log-format", "json", OTEL_EXPORTER_OTLP_HEADERS=world.headers())
    stray = [world.canaries.token("a caller's token") for _ in range(2)]
    with serving.ready() as client:
        assert client.post("/v1/spans", content=_spans()).status_code == 200
        (incident, *_), told = serving.until(lambda: client.get("/v1/incidents").json()["incidents"]), {}
        receivers = {channel(one) for one in load(world.config, {}).alerts.receivers()}
        serving.until(lambda: receivers <= set(re.findall(r'sink="([^"]+)"', client.get("/metrics").text)))
        serving.until(lambda: b"access_denied" in client.get("/readyz").content)
        told |= _act(client, incident["id"])
        told |= _answers(client, incident["id"], stray)
        told["garbage"] = _garbage(client, stray[0])
    assert serving.ended() == 0, serving.log.read_text()
    told |= serving.written()
    assert b"undertow_spans_ingested" in told["otlp"], "metrics were exported"
    assert world.canaries.found(repr(world.server.seen).encode()) > {"alerts.slack.url", "alerts.pagerduty.routing_key"}
    assert leaks(world.canaries, told) == {}


@pytest.mark.parametrize("client", ["kafka-python", "confluent-kafka"])
def test_a_crash_tells_no_secret(client: str, world: World, monitor: Callable[..., Monitor]) -> None:
    """The traceback of a part that died, and exports that are refused with an echo, by both Kafka libraries."""
    endpoint = world.server.url("echo", world.canaries.core("telemetry.otlp_endpoint"))
    world.settings["telemetry"]["otlp_endpoint"] = endpoint
    world.settings["kafka"]["client"] = client
    died = monitor(fault="crash", OTEL_EXPORTER_OTLP_HEADERS=world.headers())
    assert died.ended(None) == 75
    told = died.written()
    assert b"RuntimeError: planted" in told["stderr"]
    assert b"Failed to export" in told["stderr"]
    assert leaks(world.canaries, told) == {}


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_export_that_cannot_be_sent_tells_no_secret(
    scheme: str, world: World, monitor: Callable[..., Monitor]
) -> None:
    """An address that nobody listens at, and one that does not speak TLS, are not told with their paths."""
    (closed,) = free_ports(1)
    del world.settings["kafka"]
    port = closed if scheme == "http" else world.server.server_port
    world.settings["telemetry"]["otlp_endpoint"] = f"{scheme}://127.0.0.1:{port}/{world.canaries.core('telemetry')}"
    died = monitor(fault="crash")
    assert died.ended(None) == 75
    assert b"opentelemetry" in died.log.read_bytes()
    assert leaks(world.canaries, died.written()) == {}


@pytest.mark.parametrize("fault", ["logs", "metrics", "traces", "database"])
def test_a_leak_would_be_found(fault: str, world: World, monitor: Callable[..., Monitor]) -> None:
    """What looks for canaries finds one in a log line, a label, an attribute of a span and a row."""
    del world.settings["kafka"]
    serving = monitor(fault=fault)
    with serving.ready() as client:
        told = {"metrics": client.get("/metrics").content}
    assert serving.ended() == 0
    found = leaks(world.canaries, told | serving.written())
    places = {"logs": "stderr", "metrics": "metrics", "traces": "otlp", "database": "table meta"}
    assert found[places[fault]] == {"api.token"}
    assert fault != "metrics" or "otlp" in found


def test_commands_tell_no_secret(world: World, command: Command) -> None:
    """`doctor`, `alerts list` and `alerts test` of every channel, whatever the receiver answers or repeats."""
    told = {}
    for client in ("kafka-python", "confluent-kafka"):
        world.settings["kafka"]["client"] = client
        told[client] = command("doctor")[1]
        assert b"FAIL broker" in told[client]
    assert b"no such user:  undertow <secret>" in told["confluent-kafka"], "the broker repeats the login"
    told["list"] = command("alerts", "list")[1]
    told["list --json"] = command("alerts", "list", "--json")[1]
    outcomes = set()
    for one in load(world.config, {}).alerts.receivers():
        code, told[channel(one)] = command("alerts", "test", channel(one))
        outcomes.add(code)
    assert outcomes == {0, 1}
    assert b"<secret>" in told["slack:slack3"], "the echo came back"
    assert b"smtp_535" in told["email:mail0"]
    assert leaks(world.canaries, told) == {}


@pytest.mark.parametrize("client", ["kafka-python", "confluent-kafka"])
@pytest.mark.parametrize("passphrase", ["right", "wrong"])
def test_doctor_tells_no_secret_of_tls(client: str, passphrase: str, world: World) -> None:
    """A client certificate whose key opens or does not, and a broker that speaks no TLS."""
    kafka = world.settings["kafka"]
    key = world.folder / "key.pem"
    secret = kafka["ssl_password"] if passphrase == "right" else "another"
    encrypt = [
        "openssl",
        "ec",
        "-aes256",
        "-passout",
        f"pass:{secret}",
        "-in",
        str(world.certificate),
        "-out",
        str(key),
    ]
    subprocess.run(encrypt, capture_output=True, check=True)
    kafka |= {"client": client, "security_protocol": "SASL_SSL", "ssl_keyfile": str(key)}
    kafka["bootstrap_servers"] = f"127.0.0.1:{world.server.server_port}"
    kafka |= {"ssl_certfile": str(world.certificate), "ssl_cafile": str(world.certificate)}
    argv = [sys.executable, "-m", "undertow.cli", "doctor", "--config", str(world.config)]
    done = subprocess.run(
        argv, cwd=world.folder, capture_output=True, stdin=subprocess.DEVNULL, timeout=60, check=False
    )
    assert (done.returncode, b"FAIL broker" in done.stdout) == (1, True), done.stderr
    assert leaks(world.canaries, {"doctor": done.stdout + done.stderr}) == {}


def test_weights_sync_tells_no_secret(world: World, command: Command) -> None:
    """Each gateway well, refusing, failing, echoing, away or wrongly addressed, and the state that is kept."""
    (closed,) = free_ports(1)
    moods = [world.server.url(mood) for mood in ("200", "401", "500", "echo")]
    core = world.canaries.core("--gateway")
    moods += [f"http://u:{core}@127.0.0.1:{closed}", world.server.url("200", scheme="https"), f"http://{core}:x/"]
    told = {}
    for kind, name in (("kong", "p"), ("portkey", "c"), ("envoy", "n/r"), ("configmap", "n/m"), ("file", "w.json")):
        for number, url in enumerate(moods):
            tokens = {f"UNDERTOW_{n}_TOKEN": world.canaries.token(n) for n in ("API", "GATEWAY")}
            argv = ("weights", "sync", kind, name, "--once", "--gateway", url, "--api", url)
            try:
                told[f"{kind} {number}"] = command(*argv, config=None, **tokens)[1]
            except (KeyError, TypeError, AttributeError) as error:  # an answer of another shape
                told[f"{kind} {number}"] = repr(error).encode()
    told |= {file.name: file.read_bytes() for file in world.folder.iterdir()}
    assert leaks(world.canaries, told) == {}


def test_a_report_tells_no_secret(world: World, command: Command) -> None:
    """The client of the API does not repeat its token, nor a password in the address."""
    told = {}
    for mood in ("401", "500", "echo"):
        core = world.canaries.core("--api")
        url = world.server.url(mood, core).replace("://", f"://u:{core}@")
        argv = ("report", "--memory", "--api", url)
        told[mood] = command(*argv, config=None, UNDERTOW_API_TOKEN=world.canaries.token("API"))[1]
    assert leaks(world.canaries, told) == {}


def test_mistakes_in_the_configuration_tell_no_secret(world: World, command: Command) -> None:
    """A secret of the wrong type, beside an unknown key, on a line that is no TOML, or in a variable."""
    told = {}
    for key in hiding():
        code, told[key] = command("doctor", config=toml(spoilt(world.settings, key.split("."))))
        assert (code, key.rpartition(".")[2].encode() in told[key]) == (78, True)
    good, secret = toml(world.settings), world.canaries.token("a line")
    bad = {
        "beside": good.replace("[api]", "[api]\ntokn = 1"),
        "bare": f"[api]\ntoken = {secret}\n",
        "no equals": f'[api]\ntoken "{secret}"\n',
        "open": f'[api]\ntoken = "{secret}\n',
        "twice": f'[api]\ntoken = "{secret}"\ntoken = "{secret}"\n',
        "two lines": f'[[alerts.slack]]\nname = "s"\nurl = "https://a.example/{secret}\\nx"\n',
        "not signing": f'[[alerts.webhook]]\nurl = "https://a.example/{secret}"\nsecret = "{secret}"\n',
        "no url": f'[[alerts.teams]]\nname = "t"\nurl = "a.example/{secret}"\n',
        "clear": f'[[alerts.teams]]\nname = "t"\nurl = "http://a.example/{secret}"\n',
        "login": f'[[alerts.alertmanager]]\nname = "a"\nurl = "https://u:{secret}@a.example/"\n',
    }
    for name, text in bad.items():
        code, told[name] = command("doctor", config=text)
        assert code == 78, name
    code, told["variable"] = command("doctor", config=good, UNDERTOW_ALERTS__SLACK=f'[{{"url": "{secret}"')
    assert code == 78
    assert leaks(world.canaries, told) == {}


def test_reprs_tell_no_secret(world: World) -> None:
    """Neither the configuration nor a part of it shows a secret or the path of an address."""
    config = load(world.config, {})
    assert leaks(world.canaries, {"repr": repr(config).encode(), "str": str(config).encode()}) == {}
    assert repr(config.alerts.webhook[0]).count("http://127.0.0.1:") == 1


@pytest.mark.parametrize("text", ["{}", "Bearer {}", "user:{}", "x{}y"])
def test_a_veil_hides_every_encoding(text: str) -> None:
    """As it is, percent-encoded, in hex and in base64 with whatever stands before and after it."""
    canaries = Canaries()
    whole = text.format(canaries.token("it"))
    secret = whole.removeprefix(text.partition("{")[0]).removesuffix(text.rpartition("}")[2])
    forms = (whole, quote(whole, safe=""), whole.encode().hex(), base64.b64encode(whole.encode()).decode())
    for form in (*forms, base64.urlsafe_b64encode(whole.encode()).decode()):
        assert canaries.found(veil([secret])(form).encode()) == set(), form
