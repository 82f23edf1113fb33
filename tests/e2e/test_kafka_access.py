"""A broker that refuses us is not said to be away: login, certificate and each permission have their own sentence."""

import logging
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ACL, ACLOperation, ACLPermissionType, ResourcePattern, ResourceType
from tests.apache_kafka import Server, jars
from tests.conftest import ApacheKafka
from tests.programs import MissingError

from undertow.keys import Secret
from undertow_collectors import held, kafka, session

pytestmark = pytest.mark.kafka

CLIENTS = pytest.mark.parametrize("client", ["kafka-python", "confluent-kafka"])
PASSWORD = "correct-horse-battery"
LOGIN = {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "PLAIN", "sasl_username": "reader"}
SECURED = """
listeners=PLAINTEXT://127.0.0.1:{{broker}},SASL_PLAINTEXT://127.0.0.1:{{password}},SSL://127.0.0.1:{{tls}},\
CONTROLLER://127.0.0.1:{{controller}}
advertised.listeners=PLAINTEXT://127.0.0.1:{{broker}},SASL_PLAINTEXT://127.0.0.1:{{password}},SSL://127.0.0.1:{{tls}}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,SSL:SSL
sasl.enabled.mechanisms=PLAIN
listener.name.sasl_plaintext.plain.sasl.jaas.config=\
org.apache.kafka.common.security.plain.PlainLoginModule required user_reader="{password}";
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
ssl.keystore.location={store}
ssl.keystore.password={password}
ssl.keystore.type=PKCS12
"""


class Secured(ApacheKafka):
    """A broker with a listener for everybody, one with a login and one with TLS; `ca` signed its certificate."""

    def __init__(self, directory: Path) -> None:
        store, self.ca = directory / "broker.p12", directory / "ca.pem"
        key = ["keytool", "-alias", "b", "-storetype", "PKCS12", "-keystore", str(store), "-storepass", PASSWORD]
        made = ["-genkeypair", "-keyalg", "RSA", "-dname", "CN=localhost", "-ext", "san=ip:127.0.0.1"]
        subprocess.run([*key, *made], check=True, capture_output=True)
        subprocess.run([*key, "-exportcert", "-rfc", "-file", str(self.ca)], check=True, capture_output=True)
        server = Server(jars(), directory, SECURED.format(password=PASSWORD, store=store))
        server.start()
        self.login, self.encrypted = server.login, server.encrypted
        super().__init__(server)

    def allow(self, kind: ResourceType, name: str, operation: ACLOperation) -> None:
        """Give the user `reader` a permission."""
        rule = ACL("User:reader", "*", operation, ACLPermissionType.ALLOW, ResourcePattern(kind, name))
        with KafkaAdminClient(**self.options) as admin:
            admin.create_acls([rule])


@pytest.fixture(name="secured", scope="module")
def _secured(tmp_path_factory: pytest.TempPathFactory, without: Any) -> Iterator[Secured]:
    try:
        broker = Secured(tmp_path_factory.mktemp("secured"))
    except MissingError as missing:
        without(str(missing))
    yield broker
    broker.stop()


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "LOOK_S", 0.5)
    monkeypatch.setattr(held, "AGAIN_S", 0.5)


@CLIENTS
@pytest.mark.parametrize(
    ("where", "options", "told"),
    [
        ("login", LOGIN | {"sasl_password": Secret("wrong")}, "check kafka.sasl_mechanism, kafka.sasl_username and"),
        (
            "login",
            LOGIN | {"sasl_password": Secret(PASSWORD), "sasl_mechanism": "SCRAM-SHA-256"},
            "check kafka.sasl_mechanism, kafka.sasl_username and",
        ),
        ("encrypted", {"security_protocol": "SSL"}, "check kafka.ssl_cafile"),
        ("bootstrap", {"security_protocol": "SSL"}, "check whether the broker speaks kafka.security_protocol there"),
    ],
    ids=["password", "mechanism", "certificate", "protocol"],
)
def test_who_is_not_let_in(
    client: str,
    where: str,
    options: Any,
    told: str,
    secured: Any,
    read: Any,
    ledger: Any,
    eventually: Any,
    caplog: Any,
    monkeypatch: Any,
) -> None:
    """The state says what was refused and which settings to check, shows no password, and does not flip."""
    caplog.set_level(logging.INFO, "undertow_collectors.source")
    tries = _tries(monkeypatch)
    topic = secured.topic()
    reading = read(secured, ledger, topic, client=client, bootstrap_servers=getattr(secured, where), **options)
    eventually(lambda: reading.state == "access_denied", "the refusal is named")
    assert told in reading.detail
    assert PASSWORD not in reading.detail
    caplog.clear()
    before = len(tries)
    eventually(lambda: len(tries) >= before + 3, "more tries")
    assert set(_states(caplog)) <= {"access_denied"}


def _tries(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What grows with each try to reach the broker, be it by a new client or by one that is there."""
    tries: list[str] = []
    library, look = kafka.library, session.Session._look

    def counting(config: Any) -> Any:
        make = library(config)
        return lambda *args: (tries.append("client"), make(*args))[1]

    monkeypatch.setattr(kafka, "library", counting)
    monkeypatch.setattr(session.Session, "_look", lambda *args: (tries.append("look"), look(*args))[1])
    return tries


def _states(caplog: Any) -> list[str]:
    """The states that the source went through."""
    told = [r.getMessage() for r in caplog.records if r.name == "undertow_collectors.source"]
    return [text.split()[2].rstrip(":") for text in told]


@CLIENTS
def test_permissions(
    client: str, secured: Any, read: Any, ledger: Any, native: Any, eventually: Any, caplog: Any, monkeypatch: Any
) -> None:
    """Topic seen, group used, topic read: each missing permission is named in turn, and nothing needs a restart."""
    tries = _tries(monkeypatch)
    caplog.set_level(logging.INFO, "undertow_collectors.source")
    topic = secured.topic(2)
    secured.produce(topic, [native(n) for n in range(5)])
    login = LOGIN | {"sasl_password": Secret(PASSWORD), "bootstrap_servers": secured.login}
    reading = read(secured, ledger, topic, client=client, **login)
    eventually(lambda: reading.state == "access_denied" and "allow Describe and Read" in reading.detail, "the topic")
    detail = reading.detail
    caplog.clear()
    before = len(tries)
    eventually(lambda: len(tries) >= before + 3, "more tries")
    sentences = {r.getMessage() for r in caplog.records if r.name == "undertow_collectors.source"}
    assert sentences <= {f"source is access_denied: {detail}"}
    secured.allow(ResourceType.TOPIC, topic, ACLOperation.DESCRIBE)
    eventually(lambda: reading.state == "access_denied" and "kafka.group_id" in reading.detail, "the group")
    secured.allow(ResourceType.GROUP, topic, ACLOperation.READ)
    eventually(lambda: "the user may not read the topic; allow Read on it" in reading.detail, "reading")
    assert reading.state == "access_denied"
    caplog.clear()
    secured.allow(ResourceType.TOPIC, topic, ACLOperation.READ)
    eventually(lambda: len(ledger.places) == 5 and reading.state == "running", "all that is needed")
    assert set(_states(caplog)[:-1]) <= {"access_denied"}


@CLIENTS
def test_one_topic_of_two(client: str, secured: Any, read: Any, ledger: Any, native: Any, eventually: Any) -> None:
    """A topic that may not be read is named while the other one is read."""
    open_, closed = secured.topic(), secured.topic()
    for topic in (open_, closed):
        secured.produce(topic, [native(n) for n in range(5)])
    secured.allow(ResourceType.TOPIC, open_, ACLOperation.READ)
    secured.allow(ResourceType.TOPIC, closed, ACLOperation.DESCRIBE)
    secured.allow(ResourceType.GROUP, open_, ACLOperation.READ)
    login = LOGIN | {"sasl_password": Secret(PASSWORD), "bootstrap_servers": secured.login}
    reading = read(secured, ledger, open_, closed, client=client, **login)
    eventually(lambda: reading.state == "access_denied", "what may not be read")
    assert reading.detail == f"{closed}[0]: the user may not read the topic; allow Read on it"
    eventually(lambda: ledger.next.get((open_, 0)) == 5, "the other topic is read")
    secured.produce(open_, [native(n) for n in range(5)])
    eventually(lambda: ledger.next.get((open_, 0)) == 10, "and read on")


@CLIENTS
def test_a_certificate_that_is_trusted(
    client: str, secured: Any, read: Any, ledger: Any, native: Any, eventually: Any
) -> None:
    """The control: with the authority that signed it named, the same listener is read."""
    topic = secured.topic()
    secured.produce(topic, [native(1)])
    tls = {"security_protocol": "SSL", "ssl_cafile": str(secured.ca), "bootstrap_servers": secured.encrypted}
    read(secured, ledger, topic, client=client, **tls)
    eventually(lambda: len(ledger.places) == 1, "the message")
