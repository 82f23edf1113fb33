"""SIGKILL at random moments while spans arrive through Apache Kafka: nothing lost, nothing doubled.

The same harness must catch a sink that commits offsets apart from rows, or it proves nothing.
"""

import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.kafka

FAULTS = Path(__file__).parents[1] / "faults"
PARTITIONS = 4
MEAN_LIFE_S = 0.3  # after the line that says it reads


def load(name: str) -> Any:
    """A module of tests/faults."""
    spec = spec_from_file_location(name, FAULTS / f"{name}.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


_control = load("broken_sink")
faults, Faults = _control.faults, _control.Faults


class Sender:
    """Sends spans at a bounded rate in a thread, and remembers where each went."""

    def __init__(self, broker: Any, topic: str, native: Callable[..., bytes], spans: int, rate: float) -> None:
        self.places: list[tuple[str, int, int]] = []
        self._arguments = (broker, topic, native, spans, rate)
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()

    def _send(self) -> None:
        broker, topic, native, spans, rate = self._arguments
        began, futures = time.monotonic(), []
        with broker.producer() as producer:
            for n in range(spans):
                futures.append(producer.send(topic, native(n, time.time() - n / 10), partition=n % PARTITIONS))
                if n % 50 == 0:
                    time.sleep(max(0.0, began + n / rate - time.monotonic()))
            producer.flush()
        for future in futures:
            sent = future.get(timeout=30)
            self.places.append((sent.topic, sent.partition, sent.offset))

    def finish(self) -> list[tuple[str, int, int]]:
        """Every place, once all is acknowledged."""
        self._thread.join(600)
        assert not self._thread.is_alive()
        return self.places


@dataclass
class Life:
    """One process from its start to its end."""

    command: list[str]

    def __post_init__(self) -> None:
        self.process = subprocess.Popen(self.command, stderr=subprocess.PIPE, text=True)

    def await_line(self, text: str) -> None:
        """Until standard error says `text`."""
        assert self.process.stderr
        said = []
        for line in self.process.stderr:
            said.append(line)
            if text in line:
                return
        pytest.fail(f"it ended before it said {text!r}: {''.join(said)[-2000:]}")

    def kill(self, after_s: float) -> None:
        """SIGKILL after some time."""
        time.sleep(after_s)
        self.process.kill()
        self.process.communicate()


@dataclass
class Run:
    """Kills of a reader of one topic."""

    broker: Any
    native: Callable[..., bytes]
    database: Path
    kills: int
    spans: int
    rate: float
    mean_life_s: float = MEAN_LIFE_S

    def __post_init__(self) -> None:
        self.topic = self.broker.topic(PARTITIONS)

    def reader(self, kind: str) -> list[str]:
        """The command of the small reader with this kind of sink."""
        script = str(FAULTS / "killed_reader.py")
        return [sys.executable, script, str(self.database), self.broker.bootstrap, self.topic, kind]

    def found(self, command: list[str], seed: int) -> Any:
        """What is wrong in the database after the kills and a last reader that may finish."""
        rng = random.Random(seed)
        sender = Sender(self.broker, self.topic, self.native, self.spans, self.rate)
        for _ in range(self.kills):
            life = Life(command)
            life.await_line("source is running")
            life.kill(rng.expovariate(1 / self.mean_life_s))
        places = sender.finish()
        last = [*self.reader("broken" if "broken" in command else "atomic"), "drain"]
        done = subprocess.run(last, timeout=300, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        assert len(places) == self.spans
        return faults(self.database, places)


def test_kills_lose_and_double_nothing(apache_kafka: Any, native: Any, tmp_path: Path) -> None:
    """After many kills while it reads, the store holds every message once, by place and by span_id."""
    run = Run(apache_kafka, native, tmp_path / "u.duckdb", kills=15, spans=20_000, rate=1_000)
    assert run.found(run.reader("atomic"), seed=1) == Faults()


def test_a_sink_that_commits_offsets_apart_is_caught(apache_kafka: Any, native: Any, tmp_path: Path) -> None:
    """The negative control: such kills find what is wrong with it; ten may all miss, thirty do not."""
    runs = (Run(apache_kafka, native, tmp_path / f"{n}.duckdb", kills=10, spans=12_000, rate=1_000) for n in range(3))
    assert any(run.found(run.reader("broken"), seed=seed).lost for seed, run in enumerate(runs, 1))


@pytest.mark.soak
def test_a_hundred_kills(apache_kafka: Any, native: Any, tmp_path: Path) -> None:
    """The same at full size: 100 kills while 100,000 spans arrive."""
    run = Run(apache_kafka, native, tmp_path / "u.duckdb", kills=100, spans=100_000, rate=700)
    assert run.found(run.reader("atomic"), seed=2) == Faults()


@pytest.mark.soak
def test_a_hundred_kills_of_serve(apache_kafka: Any, native: Any, tmp_path: Path) -> None:
    """And `undertow serve` itself, with everything that runs beside its reader."""
    run = Run(apache_kafka, native, tmp_path / "u.duckdb", kills=100, spans=100_000, rate=250, mean_life_s=1.0)
    config = tmp_path / "undertow.toml"
    config.write_text(SERVE.format(bootstrap=apache_kafka.bootstrap, topic=run.topic, database=run.database))
    undertow = str(Path(sys.executable).parent / "undertow")
    assert run.found([undertow, "serve", "--config", str(config)], seed=3) == Faults()


SERVE = """\
[kafka]
bootstrap_servers = "{bootstrap}"
topics = ["{topic}"]
group_id = "{topic}-serve"
[store]
path = "{database}"
[api]
port = 0
"""
