"""`undertow simulate`: seeded traffic with planted changes, to a file or to Kafka."""

import argparse
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice

from undertow import progress
from undertow.errors import TryAgain, UndertowError, UsageError
from undertow.span import Span
from undertow_collectors import payloads
from undertow_collectors.scenarios import FLEET, SCENARIOS
from undertow_collectors.simulate import EPOCH, traffic

EXAMPLE = "undertow simulate --scenario silent-update --seed 1 --out spans.jsonl && undertow replay spans.jsonl"
OTLP_BATCH = 50
BOOTSTRAP_MS = 10_000
NOTHING = SCENARIOS["none"].text

Write = Callable[[bytes], object]


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("--list", action="store_true", help="name the scenarios and end")
    parser.add_argument("--scenario", choices=SCENARIOS, metavar="NAME", help="which change is planted; see --list")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--out", metavar="FILE", help="write a file; - is standard output")
    where.add_argument("--kafka", metavar="HOST:PORT", help="produce to this broker")
    parser.add_argument(
        "--format", choices=["native", "litellm", "otlp"], default="native", help="what is written (default: native)"
    )
    parser.add_argument("--seed", type=int, default=1, help="same seed, same bytes (default: 1)")
    parser.add_argument("--days", type=float, default=4.0, help="how long the log is (default: 4)")
    parser.add_argument("--onset", type=float, default=3.0, metavar="DAYS", help="when the change comes (default: 3)")
    parser.add_argument("--per-day", type=float, default=3000.0, help="attempts a day at each endpoint (default: 3000)")
    parser.add_argument("--start", type=float, default=EPOCH, metavar="UNIX_S", help="default: 2026-01-05T00:00Z")
    parser.add_argument("--topic", help="default: otlp_spans for otlp, llm_requests otherwise")
    parser.add_argument("--rate", type=float, metavar="PER_S", help="spans to send a second (default: no limit)")
    parser.add_argument("--api-version", metavar="X.Y", help="protocol version, for brokers that cannot be asked")
    progress.add_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Write the scenario's log and say on standard error what is in it."""
    if args.list:
        for name, scenario in SCENARIOS.items():
            print(f"{name:<20} {scenario.text} (cause: {scenario.cause})")  # noqa: T201
        return 0
    _check(args)
    scenario = SCENARIOS[args.scenario]
    spans = traffic(scenario, args.seed, start=args.start, days=args.days, onset_days=args.onset, per_day=args.per_day)
    with (
        _destination(args) as write,
        progress.bar(args.progress, "spans", args.days * args.per_day * len(FLEET)) as bar,
    ):
        sent = 0
        for count, value in records(_paced(spans, args.rate), args.format):
            write(value)
            bar.update(count)
            sent += count
    print(f"{sent} spans; {_planted(args)}", file=sys.stderr)  # noqa: T201
    return 0


def _planted(args: argparse.Namespace) -> str:
    scenario = SCENARIOS[args.scenario]
    if scenario.text.endswith(NOTHING):
        return scenario.text
    if args.onset >= args.days:
        return f"no change, for the log ends before it would come: --days {args.days:g} --onset {args.onset:g}"
    return f"change after {args.onset:g} days: {scenario.text}"


def records(spans: Iterable[Span], form: str) -> Iterator[tuple[int, bytes]]:
    """`spans` as messages of `form`, each with the number of spans in it; OTLP holds up to 50 in one."""
    source = iter(spans)
    if form == "otlp":
        while batch := list(islice(source, OTLP_BATCH)):
            yield len(batch), payloads.otlp(batch)
    else:
        encode = {"native": payloads.native, "litellm": payloads.litellm}[form]
        for span in source:
            yield 1, encode(span)


def _check(args: argparse.Namespace) -> None:
    if not args.scenario:
        raise UsageError("--scenario is missing; --list names them")
    if not (args.out or args.kafka):
        raise UsageError("--out FILE or --kafka HOST:PORT is missing")
    for name in ("days", "per_day", "rate"):
        value = getattr(args, name)
        if value is not None and not 0 < value < 1e9:
            raise UsageError(f"--{name.replace('_', '-')} must be positive, got {value:g}")
    for name in ("seed", "onset"):
        if not 0 <= getattr(args, name) < 1e9:
            raise UsageError(f"--{name} must not be negative, got {getattr(args, name):g}")
    if args.kafka and not re.fullmatch(r".+:\d{1,5}", args.kafka):
        raise UsageError(f"--kafka: expected HOST:PORT, got {args.kafka!r}")
    if args.api_version and not re.fullmatch(r"\d+\.\d+(\.\d+)?", args.api_version):
        raise UsageError(f"--api-version: expected X.Y, got {args.api_version!r}")


def _paced(spans: Iterable[Span], rate: float | None) -> Iterator[Span]:
    began = time.monotonic()
    for count, span in enumerate(spans):
        if rate and (ahead_s := count / rate - (time.monotonic() - began)) > 0:
            time.sleep(ahead_s)
        yield span


@contextmanager
def _destination(args: argparse.Namespace) -> Iterator[Write]:
    if args.kafka:
        with _topic(args) as write:
            yield write
        return
    ending = b"" if args.format == "otlp" else b"\n"  # protobuf requests one after another are one request
    if args.out == "-":
        yield lambda value: sys.stdout.buffer.write(value + ending)
        return
    with open(args.out, "wb") as file:  # noqa: PTH123  the path is the user's text
        yield lambda value: file.write(value + ending)


@contextmanager
def _topic(args: argparse.Namespace) -> Iterator[Write]:
    import kafka
    from kafka.errors import KafkaError

    topic = args.topic or ("otlp_spans" if args.format == "otlp" else "llm_requests")
    try:
        version = args.api_version and tuple(int(part) for part in args.api_version.split("."))
        producer = kafka.KafkaProducer(
            bootstrap_servers=args.kafka,
            bootstrap_timeout_ms=BOOTSTRAP_MS,
            acks="all",
            compression_type="lz4",
            linger_ms=20,
            api_version=version or None,
        )
        failures: list[Exception] = []
        yield lambda value: producer.send(topic, value).add_errback(failures.append)
        producer.flush(timeout=60)
        producer.close()
        if failures:
            raise UndertowError(f"{args.kafka}: {len(failures)} messages were not taken: {failures[0]}")
    except KafkaError as error:
        raise TryAgain(f"--kafka {args.kafka}: {error}; is it a broker, and does it need --api-version?") from None
