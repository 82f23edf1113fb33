import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from undertow.cli import main
from undertow.store import Store

HOLD = """
import sys
from undertow.store import Store

with Store.open(sys.argv[1]):
    print(flush=True)
    sys.stdin.read()
"""
IMPATIENT = """
from undertow.cli import main
from undertow.commands import doctor

doctor.ANSWER_S = 0.5
raise SystemExit(main(["doctor"]))
"""
FORMATS = Path(__file__).parents[1] / "fixtures" / "formats"
Doctor = Callable[..., tuple[int, list[str]]]
SECRET = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY="


@pytest.fixture(name="doctor")
def _doctor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Doctor:
    """Runs `undertow doctor` in an empty folder; gives its exit code and lines."""
    monkeypatch.chdir(tmp_path)

    def doctor(**environ: str) -> tuple[int, list[str]]:
        for name, value in environ.items():
            monkeypatch.setenv(f"UNDERTOW_{name}", value)
        code = main(["doctor"])
        return code, capsys.readouterr().out.splitlines()

    return doctor


@pytest.fixture(name="receiver_port")
def _receiver_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as receiver:
        yield receiver.getsockname()[1]


def _webhook(port: int) -> dict[str, str]:
    return {"ALERTS__WEBHOOK__0__URL": f"http://127.0.0.1:{port}/hook", "ALERTS__WEBHOOK__0__SECRET": SECRET}


def test_an_empty_folder_is_fit_for_http_ingestion(doctor: Doctor) -> None:
    """With the defaults nothing fails, and what is not configured is remarked."""
    code, lines = doctor()
    assert code == 0
    assert [line.split()[:2] for line in lines] == [
        ["ok", "configuration"],
        ["note", "broker"],
        ["ok", "store"],
        ["note", "webhook"],
    ]


def test_everything_there_is_ok(mock_kafka: Any, doctor: Doctor, receiver_port: int) -> None:
    """Broker, topic, store and webhook each have a line that says ok."""
    kafka = {"BOOTSTRAP_SERVERS": mock_kafka.bootstrap, "TOPICS": mock_kafka.topic(), "API_VERSION": "2.0"}
    environ = {f"KAFKA__{key}": value for key, value in kafka.items()}
    code, lines = doctor(**environ, **_webhook(receiver_port), ALERTS__ALLOW_HOSTS="127.0.0.1")
    assert code == 0, lines
    assert [line.split()[:2] for line in lines] == [
        ["ok", name] for name in ("configuration", "broker", "topic", "store", "webhook")
    ]


@pytest.mark.parametrize("client", ["kafka-python", "confluent-kafka"])
def test_a_batch_of_each_topic_is_read(client: str, mock_kafka: Any, doctor: Doctor, native: Any) -> None:
    """What is there is said: spans in which format, messages that are none, and topics without any."""
    spans, other, empty = mock_kafka.topic(3), mock_kafka.topic(), mock_kafka.topic(2)
    mock_kafka.produce(spans, [native(n) for n in range(20)], partition=1, compression_type="snappy")
    mock_kafka.produce(other, [b"nonsense"])
    environ = {"BOOTSTRAP_SERVERS": mock_kafka.bootstrap, "TOPICS": f"{spans},{other},{empty}", "API_VERSION": "2.0"}
    code, lines = doctor(**{f"KAFKA__{key}": value for key, value in environ.items()}, KAFKA__CLIENT=client)
    assert code == 0
    topics = [line for line in lines if line.split()[1] == "topic"]
    assert topics[0] == f"ok   topic         {spans} is readable; its newest batch ends with 1 span (native)"
    assert topics[1].startswith(
        f"note topic         {other} is readable, but its newest message is none that is known: "
    )
    assert topics[2] == f"ok   topic         {empty} is there, and has no message in its 2 partitions"


def test_who_wrote_the_spans_is_said_with_what_is_wrong_there(mock_kafka: Any, doctor: Doctor) -> None:
    """The newest batch names its instrumentation, and a known fault of that is a remark; another has none."""
    faulty, sound = mock_kafka.topic(), mock_kafka.topic()
    mock_kafka.produce(faulty, [(FORMATS / "adk-go-2.2.0" / "openai.pb").read_bytes()])
    mock_kafka.produce(sound, [(FORMATS / "ferrogw-1.5.10" / "stream.pb").read_bytes()])
    environ = {"BOOTSTRAP_SERVERS": mock_kafka.bootstrap, "TOPICS": f"{faulty},{sound}", "API_VERSION": "2.0"}
    code, lines = doctor(**{f"KAFKA__{key}": value for key, value in environ.items()})
    assert code == 0
    ends = "is readable; its newest batch ends with 1 span (otlp), written by"
    assert f"ok   topic         {faulty} {ends} gcp.vertex.agent 2.0.0" in lines
    assert f"ok   topic         {sound} {ends} github.com/ferro-labs/ai-gateway" in lines
    [remark] = [line for line in lines if line.split()[1] == "spans"]
    told = f"note spans         {faulty}: wrong at the source, tokens of gcp.vertex.agent 2.0.0: Reasoning of models "
    assert remark.startswith(told)


def test_a_topic_in_a_codec_that_cannot_be_read_fails(
    mock_kafka: Any, doctor: Doctor, native: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the codec's library the topic's line fails and names the codec and the package; with it, it is ok."""
    topic = mock_kafka.topic()
    mock_kafka.produce(topic, [native(n) for n in range(20)], compression_type="snappy")
    environ = {"BOOTSTRAP_SERVERS": mock_kafka.bootstrap, "TOPICS": topic, "API_VERSION": "2.0"}
    environ = {f"KAFKA__{key}": value for key, value in environ.items()}
    with monkeypatch.context() as hidden:
        hidden.setattr("kafka.codec.snappy", None)
        code, lines = doctor(**environ)
        assert code == 1
        assert lines[2].startswith(f"FAIL topic         {topic} cannot be read: {topic}[0]: ")
        assert lines[2].endswith("is compressed with snappy; install the package python-snappy and start again")
    assert doctor(**environ)[0] == 0


def test_what_is_missing_fails(mock_kafka: Any, doctor: Doctor) -> None:
    """A topic that does not exist, a database that is none and a receiver that is not let through end with 1."""
    Path("undertow.duckdb").write_text("no database" * 1000)
    code, lines = doctor(
        KAFKA__BOOTSTRAP_SERVERS=mock_kafka.bootstrap, KAFKA__TOPICS="nowhere", KAFKA__API_VERSION="2.0", **_webhook(9)
    )
    assert code == 1
    assert [line.split()[1] for line in lines if line.startswith("FAIL")] == ["topic", "store", "webhook"]
    assert SECRET not in "".join(lines)


def test_a_receiver_that_is_gone_fails(doctor: Doctor) -> None:
    """One that answered 410 gets nothing any more, which somebody should know."""
    with Store.open("undertow.duckdb") as store, store.judgement() as transaction:
        transaction.disable("webhook:hooks.example:1", 5.0, "http_410")
    code, lines = doctor()
    assert code == 1
    assert any(line.startswith("FAIL webhook") and "hooks.example" in line for line in lines)


def test_a_running_monitor_is_no_failure(doctor: Doctor, tmp_path: Path) -> None:
    """A database that a monitor holds is remarked with its process."""
    command = [sys.executable, "-c", HOLD, str(tmp_path / "undertow.duckdb")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        code, lines = doctor()
        holder.communicate(b"")
    assert code == 0
    assert any(line.startswith("note store") and f"process {holder.pid}" in line for line in lines)


def test_nothing_is_made(doctor: Doctor, tmp_path: Path) -> None:
    """The doctor looks and leaves no file behind."""
    doctor()
    assert list(tmp_path.iterdir()) == []


def test_an_existing_database_is_opened(doctor: Doctor, tmp_path: Path) -> None:
    """A good database is ok."""
    Store.open(tmp_path / "undertow.duckdb").close()
    code, lines = doctor()
    assert code == 0
    assert lines[2] == "ok   store         undertow.duckdb, no span yet"


def test_a_database_without_a_folder_fails(doctor: Doctor) -> None:
    """What `serve` could not make is not said to be made."""
    code, lines = doctor(STORE__PATH="nowhere/undertow.duckdb")
    assert code == 1
    assert "FAIL store         nowhere/undertow.duckdb cannot be made: its folder does not exist" in lines


def test_a_bad_configuration_ends_with_78(doctor: Doctor) -> None:
    """The first line fails and nothing else is looked at."""
    code, lines = doctor(STORE__RAW_RETENTION_DAYS="never")
    assert (code, len(lines)) == (78, 1)
    assert lines[0].startswith("FAIL configuration")


def test_a_broker_that_never_ends_its_handshake_fails(receiver_port: int, tmp_path: Path) -> None:
    """A port that takes connections and says nothing holds up the other checks for a while, not for ever."""
    kafka = {"BOOTSTRAP_SERVERS": f"127.0.0.1:{receiver_port}", "SECURITY_PROTOCOL": "SSL"}
    environ = os.environ | {f"UNDERTOW_KAFKA__{key}": value for key, value in kafka.items()}
    done = subprocess.run(  # a process of its own, as what is left behind lasts as long as the process
        [sys.executable, "-c", IMPATIENT], cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60
    )
    lines = done.stdout.splitlines()
    assert done.returncode == 1
    assert [line.split()[:2] for line in lines[1:3]] == [["FAIL", "broker"], ["ok", "store"]]
    assert "is it SSL there?" in lines[1]
