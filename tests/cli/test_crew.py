import logging
import math
import threading
from collections.abc import Callable

import pytest

from undertow.crew import Crew, Health, retry_s
from undertow.errors import Refused, TryAgain


def _until_stopped(stop: threading.Event) -> None:
    stop.wait()


def _failing(error: BaseException) -> Callable[[threading.Event], None]:
    def work(_: threading.Event) -> None:
        raise error

    return work


def test_a_crew_that_is_stopped_ends_without_failure() -> None:
    """Threads that end because they were asked to are no failure."""
    crew = Crew()
    crew.start("source", _until_stopped)
    assert crew.health("source") == Health(True, "running")
    assert crew.join(10.0) == []
    assert crew.failure is None


@pytest.mark.parametrize("error", [ValueError("no"), TryAgain("the disk is full"), SystemExit(0), MemoryError()])
def test_a_thread_that_dies_stops_the_whole_crew(error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever kills one thread is said once, stops the others and is kept as the failure."""
    called = threading.Event()
    crew = Crew(on_failure=called.set)
    crew.start("outbox", _until_stopped)
    crew.start("source", _failing(error))
    assert called.wait(10.0)
    assert crew.stop.is_set()
    assert crew.join(10.0) == []
    assert crew.failure is error
    assert crew.health("source").state == "dead"
    assert len(caplog.records) == 1


def test_a_thread_that_ends_by_itself_is_a_failure() -> None:
    """A thread that just returns would leave the process running with nobody reading."""
    crew = Crew()
    crew.start("source", lambda stop: None)  # noqa: ARG005
    assert crew.stop.wait(10.0)
    assert crew.join(10.0) == []
    assert str(crew.failure) == "source ended by itself"


def test_repeated_work_outlives_its_failures(caplog: pytest.LogCaptureFixture) -> None:
    """A round that fails makes the part unhealthy until a round succeeds; the same failure is logged once."""
    caplog.set_level(logging.INFO)
    rounds = iter(["fail", "fail", "work", "wait"])
    seen: list[Health] = []
    done = threading.Event()
    crew = Crew()

    def work() -> None:
        seen.append(crew.health("detection"))
        step = next(rounds, "wait")
        if step == "fail":
            raise ValueError("a bad round")
        if step == "wait":
            done.set()

    crew.repeat("detection", 0.001, work)
    assert done.wait(10.0)
    assert crew.join(10.0) == []
    failing = Health(False, "failing", "ValueError: a bad round")
    assert seen[:4] == [Health(True, "running"), failing, failing, Health(True, "running")]
    assert [record.message for record in caplog.records] == ["detection failed and will be tried again"]
    assert crew.failure is None


def test_repeated_work_that_needs_a_new_process_ends_the_crew() -> None:
    """TryAgain, a database that died, is not retried here."""
    crew = Crew()

    def work() -> None:
        raise TryAgain("invalidated")

    crew.repeat("detection", 0.001, work)
    assert crew.stop.wait(10.0)
    assert crew.join(10.0) == []
    assert isinstance(crew.failure, TryAgain)


def test_a_refusal_ends_nothing_and_is_logged_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rounds are counted until one succeeds; a sentence whose numbers change is one line, without a traceback."""
    monkeypatch.setattr("undertow.crew.RETRY_S", 0.0001)
    crew, done = Crew(), threading.Event()
    seen: list[Health] = []

    def work() -> None:
        seen.append(crew.health("checkpoint"))
        if len(seen) <= 3:
            raise Refused(f"{len(seen)}.5 MiB of 24.0 MiB used")
        done.set()

    crew.repeat("checkpoint", 0.001, work)
    assert done.wait(10.0)
    assert crew.join(10.0) == []
    assert [health.failures for health in seen[:4]] == [0, 1, 2, 3]
    assert crew.failure is None
    (record,) = caplog.records
    assert record.message == "checkpoint failed and will be tried again: 1.5 MiB of 24.0 MiB used"
    assert not record.exc_info


def test_rounds_that_fail_are_tried_again_soon_and_then_less_often() -> None:
    """A second after the first failure, then twice as long each time; a round that succeeded waits for the next."""
    assert [retry_s(failures) for failures in (1, 2, 3, 7)] == [1.0, 2.0, 4.0, 64.0]
    assert retry_s(0) == math.inf


def test_threads_that_hang_are_named() -> None:
    """A thread that does not stop in time is told by its name."""
    crew, release = Crew(), threading.Event()
    crew.start("source", lambda stop: release.wait() and None)  # noqa: ARG005
    assert crew.join(0.05) == ["source"]
    release.set()
    assert crew.join(10.0) == []
