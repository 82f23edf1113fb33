"""`undertow alerts`: the channels that are configured, and a sample through one of them."""

import argparse
import os
import re
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from undertow.channels import Receiver, Routing
from undertow.clock import Clock, system_clock
from undertow.config import AlertsConfig
from undertow.errors import UsageError
from undertow.keys import nearest
from undertow.loading import load
from undertow.notify.attempt import Attempt
from undertow.notify.egress import Egress, Guard
from undertow.notify.message import Outgoing
from undertow.notify.routing import channel
from undertow.notify.sample import EVENTS, sample
from undertow.notify.senders import reaches, send
from undertow.notify.story import clean
from undertow.veil import veil

EXAMPLE = "undertow alerts list && undertow alerts test slack:ops"

SHOWN_ANSWER = 300


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("action", choices=("list", "test"), help="show the channels, or send a sample through one")
    parser.add_argument("channel", nargs="?", metavar="CHANNEL", help="with test: its name, as `alerts list` shows it")
    parser.add_argument("--event", choices=EVENTS, default="opened", help="what the sample tells (default: opened)")
    parser.add_argument("--config", metavar="FILE", type=Path, help="configuration (default: ./undertow.toml)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Print what was asked for; 1 where the receiver did not take the sample."""
    alerts = load(args.config, os.environ).alerts
    receivers = {channel(receiver): receiver for receiver in alerts.receivers()}
    if args.action == "list":
        return _list(receivers, args.json)
    return _test(_wanted(args.channel, receivers), alerts, args.event, args.json)


def _wanted(name: str | None, receivers: Mapping[str, Receiver]) -> Receiver:
    if not receivers:
        raise UsageError("no channel is configured; `[[alerts.slack]]` and its like in undertow.toml make one")
    if name is None:
        raise UsageError(f"`alerts test` needs a channel: {', '.join(receivers)}")
    if name not in receivers:
        raise UsageError(f"there is no channel {name!r}{nearest(name, receivers)}")
    return receivers[name]


def _list(receivers: Mapping[str, Receiver], as_json: bool) -> int:
    told = [_described(name, receiver) for name, receiver in receivers.items()]
    if as_json:
        _say(msgspec.json.encode({"version": 1, "channels": told}).decode())
    for one in () if as_json else told:
        filters = "; ".join(f"{key} {', '.join(value)}" for key, value in one["only"].items())
        only = f" ({filters})" if filters else ""
        _say(f"{one['channel']:<28} {one['host']}:{one['port']}  from {one['min_severity']}{only}")
    if not (told or as_json):
        _say("no channel is configured: nobody is told")
    return 0


def _described(name: str, receiver: Receiver) -> dict[str, Any]:
    host, port = reaches(receiver)
    filters = {key: getattr(receiver, key) for key in Routing.__struct_fields__ if key != "min_severity"}
    return {
        "channel": name,
        "host": host,
        "port": port,
        "min_severity": receiver.min_severity,
        "only": {key: value for key, value in filters.items() if value},
    }


def _test(receiver: Receiver, alerts: AlertsConfig, event: Any, as_json: bool, clock: Clock = system_clock) -> int:
    now, name = clock(), channel(receiver)
    kind, body = sample(event, now, alerts.dashboard_url)
    entry = Outgoing(f"msg_sample_{int(now * 1000)}", name, "inc_sample", 0, kind, body, now)
    begun = time.monotonic()
    attempt = send(entry, receiver, Egress(Guard(alerts.allow_hosts)), now)
    took_s = time.monotonic() - begun
    answer = _answer(attempt, receiver)
    if as_json:
        told = {"version": 1, "channel": name, "outcome": attempt.outcome, "detail": attempt.detail, "answer": answer}
        _say(msgspec.json.encode(told | {"took_s": round(took_s, 3)}).decode())
    else:
        verdict = "took it" if attempt.outcome == "sent" else "did not take it"
        _say(f"{name} {verdict}: {attempt.detail} after {took_s:.2f} s{f', saying {answer!r}' if answer else ''}")
    return int(attempt.outcome != "sent")


def _answer(attempt: Attempt, receiver: Receiver) -> str:
    """What the receiver said, without what it may repeat of our secrets."""
    said = veil(receiver.hidden())(attempt.answer.decode(errors="replace"))
    return clean(re.sub(r"<(?!secret>)[^<>]{0,200}>", " ", said), SHOWN_ANSWER)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
