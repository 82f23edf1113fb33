"""The command line: finds the command, and turns every mistake into one sentence and an exit code.

A command is a module in undertow.commands with `EXAMPLE`, `arguments(parser)` and `run(args) -> exit code`. Only the
one that was asked for is imported, so that help comes at once.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module, metadata

from undertow.errors import StoreError, UndertowError, UsageError

COMMANDS = {
    "demo": "everything on embedded parts: a planted silent update, the alert, the dashboard",
    "serve": "the monitor: reads the log, judges, alerts, answers over HTTP",
    "dashboard": "the Streamlit dashboard of a running monitor",
    "replay": "back-test on files, in event time",
    "report": "what would be noticed, and the last days beside every baseline",
    "decode": "normalised spans of files, as JSONL",
    "simulate": "seeded traffic with planted changes, to a file or to Kafka",
    "alerts": "the channels that alerts go to, and a sample through one of them",
    "weights": "carries the weights feed into the configuration of a gateway",
    "doctor": "checks configuration, broker, topics, store and alert channels",
}
LATER = ("golden", "compare")
INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code (CONTRACTS 2)."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        return _run(arguments)
    except SystemExit as stop:  # argparse has said what it had to say
        return stop.code if isinstance(stop.code, int) else UsageError.exit_code
    except UndertowError as error:
        print(f"undertow: {error}", file=sys.stderr)  # noqa: T201
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # whoever read our output has had enough (`| head`); that is no mistake
        _drop_output()
        return 0
    except OSError as error:
        print(f"undertow: {error.filename or 'output'}: {error.strerror or error}", file=sys.stderr)  # noqa: T201
        _drop_output()
        return StoreError.exit_code


def _run(arguments: list[str]) -> int:
    wanted = arguments[0] if arguments else ""
    if wanted in LATER:
        raise UsageError(f"`{wanted}` is not in this version yet")
    args = parser(wanted).parse_args(arguments)
    code: int = import_module(f"undertow.commands.{args.command}").run(args)
    sys.stdout.flush()
    return code


def parser(wanted: str = "") -> argparse.ArgumentParser:
    """The parser of all commands, of which only `wanted` knows its options."""
    top = argparse.ArgumentParser(
        prog="undertow",
        description="Knows when an LLM provider changes under you.",
        epilog="`undertow COMMAND --help` shows a command's options and an example.",
    )
    top.add_argument("--version", action="version", version=f"undertow {metadata.version('undertow')}")
    commands = top.add_subparsers(title="commands", dest="command", metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(
            name, help=summary, description=summary, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        if name == wanted:
            module = import_module(f"undertow.commands.{name}")
            command.epilog = f"example:\n  {module.EXAMPLE}"
            module.arguments(command)
    return top


def _drop_output() -> None:
    """Write out what waits, or else forget it: at its end the interpreter would try again and complain."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
