"""`undertow demo`: everything on embedded parts."""

import argparse
import logging
import signal
import sys

import msgspec

from undertow import progress
from undertow.demo.report import Step
from undertow.demo.run import Demo, Options

EXAMPLE = "undertow demo   # or, for scripts: undertow demo --headless --json"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
HEADLESS_S, WATCHED_S = 108.0, 300.0
"""Patience: a headless run ends within two minutes, the last seconds of its children included."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("--headless", action="store_true", help="no dashboard; end after the last step")
    parser.add_argument("--json", action="store_true", help="print one JSON object when the demo ends")
    parser.add_argument("--seed", type=int, default=1, help="seed of the simulated traffic (default: 1)")
    progress.add_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Run the demo; 0 if every step happened, 1 if one was missed."""
    for number in SIGNALS:
        signal.signal(number, _interrupt)
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    out = sys.stderr if args.json else sys.stdout

    def tell(step: Step) -> None:
        print(f"{step.at_s:6.1f} s {' ' if step.ok else '✗'} {step.step:<10} {step.text}", file=out, flush=True)

    print("A gateway, Kafka, the monitor, a webhook receiver and a router, all on this machine.", file=out)
    patience_s = HEADLESS_S if args.headless else WATCHED_S
    report = Demo(Options(args.headless, args.seed, patience_s, args.progress), tell).run()
    if args.json:
        print(msgspec.json.encode(report).decode())  # noqa: T201
    return 0 if report.ok else 1


def _interrupt(*_: object) -> None:
    """End once and tidily: a second signal must not interrupt the ending of the children, which is bounded."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt
