"""Apache Kafka itself, for tests and benchmarks: one process in KRaft mode, its jars resolved once by Maven."""

import itertools
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from bench.environments import alone

POM = Path(__file__).parents[1] / "docker" / "kafka" / "pom.xml"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "undertow"
START_S = 90.0


class MissingError(Exception):
    """Apache Kafka cannot be had here; the message says why."""


class Server:
    """One broker on a free port of the loopback address, with its data in `directory`."""

    def __init__(self, jars: Path, directory: Path) -> None:
        broker, controller = free_ports(2)
        self.bootstrap = f"127.0.0.1:{broker}"
        self._directory = directory
        self._java = ["java", "-Xmx512m", f"-Dlog4j2.configurationFile={directory / 'log4j2.properties'}"]
        self._java += ["-cp", f"{jars}/*"]
        self._properties = directory / "server.properties"
        self._properties.write_text(SERVER.format(broker=broker, controller=controller, data=directory / "data"))
        (directory / "log4j2.properties").write_text(LOG4J.format(file=directory / "kafka.log"))
        format_data = ["kafka.tools.StorageTool", "format", "-t", "dW5kZXJ0b3d1bmRlcnRvdw", "-c", str(self._properties)]
        subprocess.run([*self._java, *format_data], check=True, capture_output=True)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start on the data it has, and wait until it answers; MissingError with its output when it does not."""
        with (self._directory / "out.txt").open("ab") as out:
            self._process = subprocess.Popen(
                [*self._java, "kafka.Kafka", str(self._properties)], stdout=out, stderr=subprocess.STDOUT
            )
        until = time.monotonic() + START_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until:
                raise MissingError(f"Apache Kafka did not start: {(self._directory / 'out.txt').read_text()[-2000:]}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End it at once; what was acknowledged stays on disk."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        log = self._directory / "kafka.log"
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


def free_ports(count: int) -> list[int]:
    """That many ports of the loopback address that nothing listens on, and that no other test is given meanwhile.

    They are below those that Linux gives to whoever asks for any port, and each process of a test run has its own.
    """
    return list(itertools.islice(filter(_free, _PORTS), count))


def _free(port: int) -> bool:
    with socket.socket() as one:
        try:
            one.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _of_this_process() -> Iterator[int]:
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = 20_000 + (os.getppid() + number) % 24 * 500
    return itertools.cycle(range(first, first + 500))


_PORTS = _of_this_process()
