"""A configuration in which every key that can hold a secret holds a canary, for receivers of every temper."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.canaries.planted import Canaries
from tests.canaries.strangers import MOODS, Server

Table = dict[str, Any]


def everything(canaries: Canaries, server: Server, mail_port: int, broker_port: int, closed_port: int) -> Table:
    """The configuration; what it names is on loopback."""

    def urls(key: str) -> Iterator[str]:
        """A secret address for each temper, one that refuses and one that fails at TLS."""
        yield from (server.url(mood, canaries.core(key), f"x?sig={canaries.core(key)}") for mood in MOODS)
        yield f"http://127.0.0.1:{closed_port}/{canaries.core(key)}"
        yield server.url("200", canaries.core(key), scheme="https")

    def many(kind: str, **more: Any) -> list[Table]:
        named = enumerate(urls(f"alerts.{kind}.url"))
        made = [{"name": f"{kind}{n}", "url": url, "min_severity": "info"} for n, url in named]
        return [one | {key: make(f"alerts.{kind}.{key}") for key, make in more.items()} for one in made]

    token, signing = canaries.token, canaries.signing
    logins = (
        lambda: {"token": token("alerts.alertmanager.token")},
        lambda: {"username": "u", "password": token("alerts.alertmanager.password")},
    )
    alertmanagers = [
        {"name": f"am{kind}-{n}", "url": url.partition("?")[0], "min_severity": "info"} | login()
        for kind, login in enumerate(logins)
        for n, url in enumerate(urls("alerts.alertmanager.url"))
    ]
    mail = {"host": "127.0.0.1", "username": "u", "sender": "u@example.com", "to": ["a@example.com"]}
    ports = enumerate((mail_port, closed_port))
    return {
        "kafka": {
            "bootstrap_servers": f"127.0.0.1:{broker_port}",
            "security_protocol": "SASL_PLAINTEXT",
            "sasl_mechanism": "PLAIN",
            "sasl_username": "undertow",
            "sasl_password": token("kafka.sasl_password"),
            "ssl_password": token("kafka.ssl_password"),
        },
        "detect": {"baseline": {"min_spans": 2000, "min_hours": 0}},
        "alerts": {
            "allow_hosts": ["127.0.0.1"],
            "webhook": many("webhook", secret=signing, previous_secret=signing),
            "alertmanager": alertmanagers,
            "slack": many("slack"),
            "pagerduty": many("pagerduty", routing_key=token),
            "teams": many("teams"),
            "email": [
                mail | {"name": f"mail{n}", "port": port, "password": token("alerts.email.password")}
                for n, port in ports
            ],
        },
        "api": {
            "port": 0,
            "token": token("api.token"),
            "tokens": [{"name": "reader", "token": token("api.tokens.token")}],
        },
        "telemetry": {"otlp_endpoint": server.url("200", canaries.core("telemetry.otlp_endpoint"))},
    }


def toml(table: Mapping[str, Any], path: str = "") -> str:
    """`table` as TOML."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in table.items() if not _is_section(value)]
    for key, value in table.items():
        name = f"{path}.{key}".lstrip(".")
        if isinstance(value, dict):
            lines += [f"[{name}]", toml(value, name)]
        elif _is_section(value):
            lines += [f"[[{name}]]\n{toml(one, name)}" for one in value]
    return "\n".join(lines)


def _is_section(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and bool(value) and isinstance(value[0], dict))


def spoilt(table: Any, keys: Sequence[str]) -> Any:
    """`table` with a list for the text at `keys`, wherever there are several in each."""
    if not keys:
        return [table]
    if isinstance(table, list):
        return [spoilt(one, keys) if keys[0] in one else one for one in table]
    return table | {keys[0]: spoilt(table[keys[0]], keys[1:])}
