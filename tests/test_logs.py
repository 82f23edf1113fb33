"""Logs that nobody can fill: what is written of a flood, what is counted, and what is said about it."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from undertow import log_rates, logs
from undertow.clock import ManualClock
from undertow.log_rates import FIRST, INTERVAL_S, KINDS, RatedHandler, Rates

Log = Callable[..., None]


class Written:
    """A logger with the handler that is tested, and what it wrote."""

    def __init__(self, handler: Callable[[Any, Any], logging.Handler]) -> None:
        self.clock = ManualClock(1000.0)
        self.stream = io.StringIO()
        self.handler = handler(self.clock, self.stream)
        self.handler.setFormatter(logs._Line())

    def log(self, message: str, *args: object, name: str = "uvicorn.error", level: int = logging.WARNING) -> None:
        """What `logging.getLogger(name).log` gives to its handler."""
        self.handler.handle(logging.LogRecord(name, level, "", 0, message, args, None))

    @property
    def lines(self) -> list[str]:
        """The lines so far, without their time."""
        return [line.partition(" ")[2] for line in self.stream.getvalue().splitlines()]


def rated(clock: Any, stream: Any) -> logging.Handler:
    """The handler of `logs.configure`."""
    return RatedHandler(Rates(clock), stream)


def unrated(_: Any, stream: Any) -> logging.Handler:
    """The negative control: a handler that counts nothing."""
    return logging.StreamHandler(stream)


@pytest.fixture(name="written")
def _written() -> Written:
    return Written(rated)


def flood(written: Written, lines: int = 100_000) -> int:
    """How many characters a flood of bad requests writes."""
    for _ in range(lines):
        written.log("Invalid HTTP request received.")
    return len(written.stream.getvalue())


def test_a_flood_of_one_kind_is_written_a_few_times() -> None:
    """A hundred thousand bad requests are twenty lines; a handler without rates writes them all."""
    assert flood(Written(rated)) < 4_000
    assert flood(Written(unrated)) > 5_000_000


def test_what_was_left_out_is_counted_and_said(written: Written) -> None:
    """When its interval is over the next line, of any kind, says how many of which kind were left out; once."""
    flood(written, FIRST + 500)
    written.log("another", name="undertow")
    assert len(written.lines) == FIRST + 1
    written.clock.advance(INTERVAL_S)
    written.log("a third", name="undertow")
    told = "warning uvicorn.error: 500 more lines like this were left out: Invalid HTTP request received."
    assert written.lines[FIRST + 1 :] == [told, "warning undertow: a third"]
    flood(written, FIRST)
    assert len(written.lines) == 2 * FIRST + 3


def test_what_was_left_out_is_said_at_the_end_too(written: Written) -> None:
    """A flood that lasts until the process ends is counted in its last line."""
    flood(written, FIRST + 7)
    written.handler.close()
    assert written.lines[-1].startswith("warning uvicorn.error: 7 more lines like this were left out")


def test_and_said_where_nothing_else_is_logged(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    """The monitor asks once a minute, so that a quiet log tells too."""
    monkeypatch.setattr(logging.getLogger(), "handlers", [written.handler])
    flood(written, FIRST + 7)
    logs.say_suppressed()
    assert len(written.lines) == FIRST
    written.clock.advance(INTERVAL_S)
    logs.say_suppressed()
    assert len(written.lines) == FIRST + 1


def test_kinds_are_by_logger_level_and_template(written: Written) -> None:
    """Arguments and numbers make no other kind; another logger, level or text does."""
    for number in range(FIRST):
        written.log("from %s: " + str(number), number)
    for number in range(3):
        written.log("from %s: 99999", number)
    assert len(written.lines) == FIRST
    written.log("from %s: 1", 1, name="asyncio")
    written.log("from %s: 1", 1, level=logging.ERROR)
    written.log("to %s: 1", 1)
    assert len(written.lines) == FIRST + 3


def test_lines_that_differ_every_time_are_bounded_too(written: Written) -> None:
    """Where a stranger's words are in the template itself, the kinds of a logger that are too many count as one."""
    for number in range(20_000):
        written.log("".join(chr(97 + int(digit)) for digit in str(number)))
    assert len(written.lines) == KINDS + FIRST
    written.log("calm", name="undertow")
    assert written.lines[-1] == "warning undertow: calm"


def test_a_line_is_bounded(written: Written) -> None:
    """A line of a megabyte is cut in its middle."""
    written.log("begin " + "x" * 2**20 + " end")
    line = written.lines[0]
    assert "begin xx" in line
    assert line.endswith("xx end")
    assert len(line) < logs.LINE_CHARACTERS + 100


@pytest.mark.parametrize("name", ["undertow", "uvicorn.error", "asyncio", "undertow_collectors.kafka", "any.library"])
@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.usefixtures("restored")
def test_every_logger_of_the_process_is_rated(name: str, form: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever logs, in whichever form; a JSON line that is cut is an object still."""
    logs.configure(form)
    for _ in range(FIRST + 50):
        logging.getLogger(name).warning("x" * 2**17)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == FIRST
    assert max(map(len, lines)) < logs.LINE_CHARACTERS + 500
    if form == "json":
        assert json.loads(lines[0])["logger"] == name


@pytest.fixture(name="restored")
def _restored(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    root.handlers = []
    for name in ("uvicorn", "uvicorn.error"):  # other tests of the process may have started one with its own handlers
        monkeypatch.setattr(logging.getLogger(name), "handlers", [])
        monkeypatch.setattr(logging.getLogger(name), "propagate", True)
    yield
    for handler in root.handlers:
        handler.stream = io.StringIO()  # type: ignore[attr-defined]  # that of the test has ended
        handler.close()
    root.handlers, _ = before, root.setLevel(level)


def test_the_table_of_kinds_forgets(written: Written) -> None:
    """Intervals that are over take no memory."""
    rates = Rates(written.clock)
    for number in range(KINDS):
        rates.admit(logging.LogRecord("n", 30, "", 0, chr(200 + number), (), None))
    written.clock.advance(log_rates.INTERVAL_S)
    assert rates.over() == []
    assert rates._counts == {}
