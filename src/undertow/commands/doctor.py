"""`undertow doctor`: is everything there that a monitor needs? One line for each thing."""

import argparse
import os
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from undertow import logs
from undertow.channels import Receiver
from undertow.commands.inputs import run_decoder
from undertow.commands.topics import look
from undertow.config import AlertsConfig, Config, KafkaConfig, StoreConfig
from undertow.errors import ConfigError, UndertowError
from undertow.loading import load
from undertow.notify.aside import aside
from undertow.notify.egress import Guard, resolve
from undertow.notify.routing import channel
from undertow.notify.senders import reaches
from undertow.store import Store
from undertow_collectors.client import UnavailableError

EXAMPLE = "undertow doctor --config undertow.toml"

CONNECT_S = 5.0
ANSWER_S = 30.0
"""Past what the client libraries wait for an answer; a TLS handshake, which they do not bound, ends here."""


@dataclass(frozen=True, slots=True)
class Check:
    """One line: `ok` None is a remark that fails nothing."""

    name: str
    ok: bool | None
    text: str

    def __str__(self) -> str:
        verdict = {True: "ok", False: "FAIL", None: "note"}[self.ok]
        return f"{verdict:<5}{self.name:<14}{self.text}"


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("--config", metavar="FILE", type=Path, help="configuration (default: ./undertow.toml)")


def run(args: argparse.Namespace) -> int:
    """Print the checks as they are made; 1 where one fails."""
    logs.configure("text")
    failed = False
    try:
        config = load(args.config, os.environ)
    except ConfigError as error:
        _say(Check("configuration", False, "cannot be used"))
        raise error from None
    for check in checks(config):
        _say(check)
        failed |= check.ok is False
    return int(failed)


def _say(check: Check) -> None:
    sys.stdout.write(f"{check}\n")
    sys.stdout.flush()


def checks(config: Config) -> Iterator[Check]:
    """Everything `config` names, looked at without changing it."""
    yield Check("configuration", True, "every key is known and every value possible")
    if config.kafka:
        yield from _kafka(config, config.kafka)
    else:
        yield Check("broker", None, "no [kafka] section: only HTTP ingestion runs")
    yield from _store(config.store)
    if not config.alerts.receivers():
        yield Check("webhook", None, "none configured, nor another channel: nobody is told")
    for receiver in config.alerts.receivers():
        yield _receiver(receiver, config.alerts)


def _kafka(config: Config, kafka: KafkaConfig) -> Iterator[Check]:
    try:
        seen = aside(partial(look, kafka, run_decoder(kafka.format, config)), "doctor-kafka").result(ANSWER_S)
    except UnavailableError as error:
        yield Check("broker", False, f"{kafka.bootstrap_servers}: {error}")
        return
    except TimeoutError:
        text = f"takes connections and answers nothing in {ANSWER_S:.0f} s: is it {kafka.security_protocol} there?"
        yield Check("broker", False, f"{kafka.bootstrap_servers} {text}")
        return
    yield Check("broker", True, f"{kafka.bootstrap_servers} answers")
    for topic, (ok, text) in seen.topics.items():
        yield Check("topic", ok, f"{topic} {text}")
        for fault in seen.faults[topic]:
            yield Check("spans", None, f"{topic}: {fault}")
    for member in seen.others:
        yield Check("group", None, f"{kafka.group_id} already has a member, {member}")


def _store(config: StoreConfig) -> Iterator[Check]:
    path = Path(config.path)
    if not path.exists():
        yield _unmade(path)
        return
    try:
        with Store.open(path, config=config) as store:
            yield Check("store", True, f"{path}, {_newest(store.newest())}")
            yield from _derived(store)
            for one in store.disabled():
                yield Check("webhook", False, f"{one['channel']} said {one['detail']}: it is disabled until enabled")
    except UndertowError as error:
        yield Check("store", None if "is in use by" in str(error) else False, str(error))


def _unmade(path: Path) -> Check:
    if not path.parent.is_dir():
        return Check("store", False, f"{path} cannot be made: its folder does not exist")
    if not os.access(path.parent, os.W_OK):
        return Check("store", False, f"{path} cannot be made: give this user write permission on {path.parent}")
    return Check("store", True, f"{path} will be made")


def _newest(ended_at: float | None) -> str:
    if ended_at is None:
        return "no span yet"
    return f"newest span {datetime.fromtimestamp(ended_at, UTC):%Y-%m-%d %H:%M:%SZ}"


def _derived(store: Store) -> Iterator[Check]:
    for one in store.ingestion()["derived"]:
        if one["name"] == "span_id":
            yield Check("span_id", None, f"{one['count']} were missing, so retries by the gateway count twice")


def _receiver(receiver: Receiver, alerts: AlertsConfig) -> Check:
    (host, port), name = reaches(receiver), channel(receiver)
    guard = Guard(alerts.allow_hosts)
    try:
        addresses = resolve(host, port)
        objections = [guard.objection(host, address) for address in addresses]
        if all(objections):
            return Check(receiver.KIND, False, f"{name} is {objections[0]}: name it in alerts.allow_hosts")
        with socket.create_connection((addresses[objections.index(None)], port), CONNECT_S):
            return Check(receiver.KIND, True, f"{name} takes connections")
    except OSError as error:
        return Check(receiver.KIND, False, f"{name}: {error.strerror or error}")
