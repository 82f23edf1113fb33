"""The configuration: `undertow.toml` with the environment over it, where `section.key` is `UNDERTOW_SECTION__KEY`."""

import ipaddress
import re
import tomllib
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import msgspec

from undertow import channels, fieldmaps, quiet
from undertow.config import (
    AlertsConfig,
    ApiConfig,
    Config,
    DashboardConfig,
    Format,
    KafkaConfig,
    WeightsConfig,
    formats,
)
from undertow.keys import Place, nearest, overlay, read

DEFAULT_FILE = Path("undertow.toml")
PREFIX = "UNDERTOW_"
_TOPIC = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}")


def load(path: Path | None, environ: Mapping[str, str]) -> Config:
    """The configuration of `path`, or of ./undertow.toml where that exists, with `environ` over it.

    Raises ConfigError naming the file or variable, the key and what is wrong.
    """
    table, place = _table(path, environ)
    fieldmaps.spell_out(table)
    config = read(table, Config, place)
    _check(config, place)
    return config


def load_dashboard(path: Path | None, environ: Mapping[str, str]) -> DashboardConfig:
    """The section of the dashboard alone, with `alerts.dashboard_url` among its addresses; found as `load` does.

    The other sections may name secrets that only the monitor can read. Raises ConfigError.
    """
    table, place = _table(path, environ)
    config = read(table.get("dashboard", {}), DashboardConfig, place / "dashboard")
    _check_dashboard(config, place / "dashboard")
    alerts = table.get("alerts")
    links = {key: value for key, value in alerts.items() if key == "dashboard_url"} if isinstance(alerts, dict) else {}
    url = read(links, AlertsConfig, place / "alerts").dashboard_url
    return msgspec.structs.replace(config, addresses=[*config.addresses, *filter(None, [url])])


def _table(path: Path | None, environ: Mapping[str, str]) -> tuple[dict[str, Any], Place]:
    if path is None and DEFAULT_FILE.exists():
        path = DEFAULT_FILE
    place = Place(str(path) if path else "configuration")
    table = _toml(path, place) if path else {}
    overlay(table, environ, PREFIX, place)
    return table, place


def _toml(path: Path, place: Place) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise place.error(f"cannot be read: {error.strerror}") from None
    except ValueError as error:  # bad TOML and bad UTF-8
        raise place.error(f"is not TOML: {error}") from None


def _check(config: Config, place: Place) -> None:
    """What no single type can say."""
    if config.kafka:
        _check_kafka(config.kafka, place / "kafka")
    _check_alerts(config.alerts, place / "alerts")
    _check_api(config.api, place / "api")
    _check_weights(config.weights, place / "weights")
    _check_dashboard(config.dashboard, place / "dashboard")


def _check_kafka(kafka: KafkaConfig, place: Place) -> None:
    for server in kafka.bootstrap_servers.split(","):
        host, _, port = server.strip().rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 65536:
            raise (place / "bootstrap_servers").error(f"expected HOST:PORT, got {server.strip()!r}")
    fieldmaps.check(kafka.field_map, get_args(Format), place / "field_map")
    known = dict.fromkeys(formats(Config(kafka=kafka)))
    if kafka.format not in known:
        raise (place / "format").error(f"unknown format {kafka.format!r}{nearest(kafka.format, known)}")
    if not kafka.topics:
        raise (place / "topics").error("names no topic")
    for index, topic in enumerate(kafka.topics):
        if not _TOPIC.fullmatch(topic):
            raise (place / "topics" / index).error(
                f"{topic!r} is no name of a topic: those have at most 249 letters, digits, dots, dashes and underscores"
            )
    if kafka.security_protocol.startswith("SASL_"):
        for key in ("sasl_mechanism", "sasl_username", "sasl_password"):
            if not getattr(kafka, key):
                raise (place / key).error(f"is missing, security_protocol = {kafka.security_protocol!r} needs it")


def _check_alerts(alerts: AlertsConfig, place: Place) -> None:
    for key in ("webhook", "alertmanager", "slack", "pagerduty", "teams", "email"):
        channels.check(getattr(alerts, key), alerts.allow_hosts, place / key)
    for index, host in enumerate(alerts.allow_hosts):
        _check_host(host, place / "allow_hosts" / index)
    quiet.check(alerts.maintenance, place / "maintenance")
    if alerts.dashboard_url:
        channels.check_url(alerts.dashboard_url, place / "dashboard_url")


def _check_host(host: str, place: Place) -> None:
    if "/" in host:
        try:
            ipaddress.ip_network(host, strict=False)
        except ValueError:
            raise place.error(f"expected a host or a network such as 10.0.0.0/8, got {host!r}") from None


def _check_dashboard(dashboard: DashboardConfig, place: Place) -> None:
    for index, address in enumerate(dashboard.addresses):
        channels.check_url(address, place / "addresses" / index)


def _check_weights(weights: WeightsConfig, place: Place) -> None:
    if not weights.ladder:
        raise (place / "ladder").error("has no step")
    if any(below >= above for above, below in pairwise([1.0, *weights.ladder])):
        raise (place / "ladder").error("expected multipliers that fall from step to step, the first below 1")
    if weights.recovery_s < weights.dwell_s:
        raise (place / "recovery_s").error(f"is shorter than weights.dwell_s, {weights.dwell_s:g}: up is never faster")


def _check_api(api: ApiConfig, place: Place) -> None:
    for index, token in enumerate(api.tokens):
        if not token.token:
            raise (place / "tokens" / index / "token").error("is missing; set it or token_file")
    if not (api.token or api.tokens or _loopback(api.host)):
        raise (place / "host").error(f"{api.host} is open to the network; set api.token or api.token_file as well")


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
