"""Apache Kafka itself, for tests and benchmarks: one process in KRaft mode, its jars resolved once by Maven."""

import re
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from bench.environments import alone
from tests.programs import CACHE, MissingError, Program, free_ports

POM = Path(__file__).parents[1] / "docker" / "kafka" / "pom.xml"


class Server:
    """One broker on a free port of the loopback address, with its data in `directory`.

    `properties` are lines of server.properties beside those that every broker here has; in them {password}, {tls} and
    {controller} are ports, where `login` and `encrypted` take a password and TLS.
    """

    def __init__(self, jars: Path, directory: Path, properties: str = "") -> None:
        broker, controller, password, tls = free_ports(4)
        self.bootstrap, self.login, self.encrypted = (f"127.0.0.1:{port}" for port in (broker, password, tls))
        self.directory = directory
        self._java = ["java", "-Xmx512m", f"-Dlog4j2.configurationFile={directory / 'log4j2.properties'}"]
        self._java += ["-cp", f"{jars}/*"]
        self._properties = directory / "server.properties"
        ports = {"broker": broker, "controller": controller, "password": password, "tls": tls}
        self._properties.write_text((SERVER + properties).format(**ports, data=directory / "data"))
        (directory / "log4j2.properties").write_text(LOG4J.format(file=directory / "kafka.log"))
        format_data = ["kafka.tools.StorageTool", "format", "-t", "dW5kZXJ0b3d1bmRlcnRvdw", "-c", str(self._properties)]
        subprocess.run([*self._java, *format_data], check=True, capture_output=True)
        command = [*self._java, "kafka.Kafka", str(self._properties)]
        self._program = Program("Apache Kafka", command, directory / "out.txt", self._answers)

    def start(self) -> None:
        """Start on the data it has, and wait until it answers; MissingError with its output when it does not."""
        self._program.start()

    def stop(self) -> None:
        """End it at once; what was acknowledged stays on disk."""
        self._program.stop(signal.SIGKILL)

    def _answers(self) -> bool:
        log = self.directory / "kafka.log"
        if not log.exists() or "Kafka Server started" not in log.read_text().rpartition("starting")[2]:
            return False
        with socket.socket() as probe:
            host, port = self.bootstrap.split(":")
            return probe.connect_ex((host, int(port))) == 0


def jars() -> Path:
    """The directory of Apache Kafka's jars, resolved once into the user's cache; MissingError where that cannot be."""
    missing = [name for name in ("java", "mvn") if shutil.which(name) is None]
    if missing:
        raise MissingError(f"Apache Kafka needs Java 17 and Maven; not found: {', '.join(missing)}")
    version = re.search(r"kafka_2\.13</artifactId>\s*<version>([^<]+)", POM.read_text())
    place = CACHE / f"kafka-{version[1] if version else 'unknown'}"
    with alone(place):
        if not (place / "complete").exists():
            command = ["mvn", "-q", "-B", "-f", str(POM), "dependency:copy-dependencies", f"-DoutputDirectory={place}"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                told = (done.stdout + done.stderr).strip()[-300:]
                raise MissingError(f"Maven could not resolve Apache Kafka: {told}")
            (place / "complete").touch()
    return place


SERVER = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{broker}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={data}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
"""

LOG4J = """\
rootLogger.level = info
rootLogger.appenderRef.file.ref = file
appender.file.type = File
appender.file.name = file
appender.file.fileName = {file}
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d %p %c{{1}}: %m%n
"""
